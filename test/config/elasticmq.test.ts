// ElasticMQ's configuration file: the format as far as it is read, and what its settings mean here.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Config, ConfigError, readConfig } from "../../src/config/config.ts";
import { parseHocon } from "../../src/config/hocon.ts";
import { Mistakes, toPlain } from "../../src/config/tree.ts";
import { checkDeclaredQueue } from "../../src/sqs/declared-queues.ts";

const SUBSTITUTED = `$${"{?HOME}"}`;
const ANY = `$${"{...}"}`;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-elasticmq-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function read(text: string, args: readonly string[] = []): Config {
  const path = join(directory, "elasticmq.conf");
  writeFileSync(path, text);
  return readConfig(["serve", "--config", path, ...args], { HOME: "/home/x" }, checkDeclaredQueue);
}

function mistakesOf(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

function parse(text: string): unknown {
  const mistakes = new Mistakes("x.conf");
  const tree = parseHocon(text, mistakes);
  return tree === undefined ? mistakes.lines : toPlain(tree);
}

test("a file with all that ElasticMQ's documentation shows", () => {
  const config = read(
    `include classpath("application.conf")

// the address in queue URLs
node-address {
    protocol = http
    host = localhost
    port = 9324
    context-path = ""
}

rest-sqs {
    enabled = true
    bind-port = 9325
    bind-hostname = "0.0.0.0"
    // relaxed or strict
    sqs-limits = strict
}

rest-stats { enabled = true, bind-port = 9326, bind-hostname = "0.0.0.0" }

generate-node-address = false

queues {
    jobs {
        defaultVisibilityTimeout = 10 seconds
        delay = 5 seconds
        receiveMessageWait = 0 seconds
        deadLettersQueue {
            name = "jobs-dead"
            maxReceiveCount = 3 // from 1 to 1000
        }
        fifo = false
        contentBasedDeduplication = false
        copyTo = ""
        tags {
            owner = "billing",
            stage = "test"
        }
    }
    jobs-dead { }
    "steps" {
        fifo = true
        contentBasedDeduplication = true
        deadLettersQueue { name = "failed-steps", maxReceiveCount = 1 }
    }
    failed-steps { fifo = true }
}

queues-storage {
    path = "/var/lib/queues.conf"
    enabled = true
}

aws {
    region = us-west-2
    accountId = 000000000007
}
`,
    ["--insecure-no-auth"],
  );
  expect(config).toMatchObject({
    host: "0.0.0.0",
    port: 9325,
    account: "000000000007",
    region: "us-west-2",
    publicUrl: "http://localhost:9324",
  });
  const redrive = (name: string, count: number) =>
    `{"deadLetterTargetArn":"arn:aws:sqs:us-west-2:000000000007:${name}","maxReceiveCount":"${count}"}`;
  expect(config.queues.map(({ name, attributes, tags }) => [name, Object.fromEntries(attributes), [...tags]])).toEqual([
    [
      "jobs",
      {
        VisibilityTimeout: "10",
        DelaySeconds: "5",
        ReceiveMessageWaitTimeSeconds: "0",
        RedrivePolicy: redrive("jobs-dead", 3),
      },
      [
        ["owner", "billing"],
        ["stage", "test"],
      ],
    ],
    ["jobs-dead", {}, []],
    ["steps.fifo", { ContentBasedDeduplication: "true", RedrivePolicy: redrive("failed-steps.fifo", 1) }, []],
    ["failed-steps.fifo", {}, []],
  ]);
  expect(config.notes).toEqual([
    "elasticmq.conf:19: rest-stats means nothing here: there is no page of statistics here",
    "elasticmq.conf:49: queues-storage means nothing here: queues are always kept on disk here",
  ]);
});

test.each([
  ['node-address.host = "*"', undefined],
  ["node-address { port = 4000 }", "http://localhost:4000"],
  ["node-address { protocol = https, host = q.example.org, port = 443 }", "https://q.example.org"],
  ["node-address { host = here }\ngenerate-node-address = true", undefined],
  ["", undefined],
])("queue URLs: %s", (text, expected) => {
  expect(read(text).publicUrl).toBe(expected);
});

test.each([
  ["10 seconds", "10"],
  ["10s", "10"],
  ["10 s", "10"],
  ["5 minutes", "300"],
  ["1h", "3600"],
  ["30000", "30"],
  ["30000 ms", "30"],
  ['"1 minute"', "60"],
  ["0", "0"],
  ["0.5 m", "30"],
])("a duration: %s", (text, expected) => {
  expect(read(`queues { q { defaultVisibilityTimeout = ${text} } }`).queues[0]?.attributes).toEqual(
    new Map([["VisibilityTimeout", expected]]),
  );
});

test("queues are created by themselves when the file says so", () => {
  expect(read("auto-create-queues { enabled = true }").autoCreateQueues).toBe(true);
});

test("what cannot be done here is a mistake, each with its line, all at once", () => {
  const text = `rest-sqs { enabled = false
  sqs-limits = relaxed }
node-address.context-path = "queues"
auto-create-queues.template { delay = 1 second }
aws.acountId = 1
queues {
  a { copyTo = "b"
      moveTo = "c" }
  b { defaultVisibilityTimeout = 10 }
  c { delay = 1500 ms, receiveMessageWait = soon }
  d { deadLettersQueue { name = e } }
  e.fifo { }
  f { fifo = true, deadLettersQueue { name = a, maxReceiveCount = 3 } }
  g { delay = 20 minutes }
  h { contentBasedDeduplication = true }
}
persistence { }
`;
  expect(mistakesOf(text)).toEqual([
    "elasticmq.conf:1: rest-sqs.enabled is false: there is no other server here",
    'elasticmq.conf:2: rest-sqs.sqs-limits is "relaxed": limits are always those of SQS here; "strict" is needed',
    'elasticmq.conf:3: node-address.context-path is "queues": queue URLs have no such path here; "" is needed',
    "elasticmq.conf:4: auto-create-queues.template: a queue that is created by itself has the defaults; name it under queues",
    "elasticmq.conf:5: aws.acountId is no setting; known here: region, accountId",
    "elasticmq.conf:7: queues.a.copyTo: messages are not copied from queue to queue here; SQS has no such thing",
    "elasticmq.conf:8: queues.a.moveTo: messages are not sent on from queue to queue here; SQS has no such thing",
    "elasticmq.conf:9: queues.b.defaultVisibilityTimeout is 10, which is in milliseconds: whole seconds are needed, such as 10 seconds",
    'elasticmq.conf:10: queues.c.delay is "1500 ms": whole seconds are needed, such as 10 seconds',
    'elasticmq.conf:10: queues.c.receiveMessageWait is "soon": whole seconds are needed, such as 10 seconds',
    "elasticmq.conf:11: queues.d.deadLettersQueue needs both name and maxReceiveCount",
    expect.stringMatching(
      /^elasticmq\.conf:12: queues\.e\.fifo is a group of settings, where a single value is needed/,
    ),
    expect.stringMatching(/^elasticmq\.conf:17: persistence is no setting; known here: node-address, /),
    "elasticmq.conf:13: queue f.fifo: the dead letters of a FIFO queue go to a queue of the same type",
    'elasticmq.conf:14: queue g: DelaySeconds is "1200": Invalid value for the parameter DelaySeconds.',
    'elasticmq.conf:15: queue h: ContentBasedDeduplication is "true": Unknown Attribute ContentBasedDeduplication.',
  ]);
});

describe("the format", () => {
  test.each<[string, unknown]>([
    ["", {}],
    ["a = 1, b : two, c = true", { a: 1, b: "two", c: true }],
    ["{ a = 1 }", { a: 1 }],
    ['a = "x // y # z" // comment\nb = x # comment', { a: "x // y # z", b: "x" }],
    ["a.b.c = 1\na { b { d = 2 } }", { a: { b: { c: 1, d: 2 } } }],
    ["a { b = 1 }\na = 2\na { c = 3 }", { a: { c: 3 } }],
    ['"a.b" = 1\n"q.fifo" { }', { "a.b": 1, "q.fifo": {} }],
    ['a = [1, two, { b = 3 }, ["x"]\n 5]', { a: [1, "two", { b: 3 }, ["x"], 5] }],
    ['a = """one\n"two" \\n"""', { a: 'one\n"two" \\n' }],
    ['a = "\\u0041\\n\\""', { a: 'A\n"' }],
    ["a=\n  1", { a: 1 }],
    ["a { b = 10 seconds, }", { a: { b: "10 seconds" } }],
    ["a = /var/lib/x // y", { a: "/var/lib/x" }],
    ["a = null\r\nb = -1.5e3\r\n", { a: null, b: -1500 }],
    ["01-simple { }", { "01-simple": {} }],
    ['include classpath("application.conf")\ninclude required(classpath("application"))\na = 1', { a: 1 }],
    ["included = 1", { included: 1 }],
    ["__proto__ { a = 1 }\nconstructor = 2", JSON.parse('{"__proto__":{"a":1},"constructor":2}')],
  ])("%s", (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test.each([
    [
      `a = ${SUBSTITUTED}`,
      `x.conf:1: ${ANY} is not read here: write the value, or use a flag or an environment variable`,
    ],
    [`\na = ${SUBSTITUTED}`, `x.conf:2: ${ANY} is not read here`],
    [`a = x${SUBSTITUTED}`, `x.conf:1: ${ANY} is not read here`],
    [`${SUBSTITUTED} = 1`, `x.conf:1: ${ANY} is not read here`],
    ["a += 1", "x.conf:1: += is not read here"],
    ['a = "x" y', "x.conf:1: "],
    ['a = "x" "y"', "x.conf:1: values that are joined from several"],
    ["a = { b = 1 } { c = 2 }", "x.conf:1: values that are joined from several"],
    ['include "other.conf"', 'x.conf:1: include "other.conf": other files are not read'],
    ['include url("http://example.org/x.conf")', "x.conf:1: include url"],
    ['include file("/etc/passwd")', "x.conf:1: include file"],
    ["a = 1 }", 'x.conf:1: "}"'],
    ["a { b = 1 ]", 'x.conf:1: "]"'],
    ["a {\n b = 1\n", "x.conf:3: the file ends, but not the object that began in line 1"],
    ["a = [1,\n2", "x.conf:2: the file ends, but not the list that began in line 1"],
    ['a = "x', 'x.conf:1: " is not closed in its line'],
    ['a = """x', 'x.conf:1: """ is not closed'],
    ['a = "\\x"', "x.conf:1: "],
    ["a", 'x.conf:1: "=", ":" or "{" is needed after a'],
    ["a =", "x.conf:1: a value is missing"],
    ["a = ,", "x.conf:1: a value is missing"],
    ["= 1", 'x.conf:1: "=", where a name is needed'],
    ["a..b = 1", 'x.conf:1: ".", where a name is needed'],
    ["a = *", 'x.conf:1: "*" in a value: put it in quotes'],
    ["a = jdbc:h2", 'x.conf:1: ":" in a value: put it in quotes'],
    ["a = 1 b = 2", "x.conf:1: "],
    [`${"a {".repeat(40)}`, "x.conf:1: more than 32 objects inside one another"],
    [`a = ${"[".repeat(40)}`, "x.conf:1: more than 32 objects inside one another"],
    [`${"a.".repeat(40)}a { b = 1 }`, "x.conf:1: more than 32 objects inside one another"],
  ])("%s is refused", (text, expected) => {
    const [first, ...more] = parse(text) as string[];
    expect(first?.slice(0, expected.length)).toBe(expected);
    expect(more).toEqual([]);
  });

  test("any text is read or refused, soon", () => {
    const word = fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom(
        "a",
        ".",
        "=",
        "{",
        "}",
        "[",
        "]",
        '"',
        '"""',
        "\n",
        ",",
        "//",
        "#",
        "${",
        "include ",
        "+=",
        "\\",
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        parse(words.join(""));
      }),
      { numRuns: 3_000 },
    );
    for (const many of ["a{", "[", "a.", '"', "//", "a=1,", "a=[", "a = x y z "]) {
      const startMs = performance.now();
      parse(many.repeat(200_000));
      expect(performance.now() - startMs).toBeLessThan(5_000);
    }
  });
});
