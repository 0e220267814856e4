// Our own configuration file, in both of its formats: what it may say, and how it is told what is wrong.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Config, ConfigError, readConfig } from "../../src/config/config.ts";
import { FILE_BYTES_MAX } from "../../src/config/read-bounded.ts";
import { checkDeclaredQueue } from "../../src/sqs/declared-queues.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-config-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function read(name: string, text: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Config {
  writeFileSync(join(directory, name), text);
  return readConfig(
    ["serve", "--config", join(directory, name), ...args],
    { HOME: "/home/x", ...env },
    checkDeclaredQueue,
  );
}

function mistakesOf(name: string, text: string, args: readonly string[] = []): string[] {
  try {
    read(name, text, args);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n").map((line) => line.replaceAll(directory, "."));
    throw error;
  }
  return [];
}

const YAML = `
host: 127.0.0.2
port: 4566
dataDirectory: data          # beside this file
awsWaits: true
autoCreateQueues: true
account: 000000000042
region: eu-west-1
publicUrl: http://queues.test:4566
queues:
  orders.fifo:
    attributes:
      ContentBasedDeduplication: true
      VisibilityTimeout: 60
    deadLetters: { queue: orders-dead.fifo, maxReceiveCount: 5 }
    tags: { team: billing, empty: "" }
  orders-dead.fifo:
  elsewhere:
    region: us-west-2
    account: "111111111111"
    attributes:
      RedriveAllowPolicy:
        redrivePermission: byQueue
        sourceQueueArns: [ "arn:aws:sqs:us-west-2:111111111111:orders" ]
`;
const JSON_TEXT = JSON.stringify(
  {
    host: "127.0.0.2",
    port: 4566,
    dataDirectory: "data",
    awsWaits: true,
    autoCreateQueues: true,
    account: "000000000042",
    region: "eu-west-1",
    publicUrl: "http://queues.test:4566",
    queues: {
      "orders.fifo": {
        attributes: { ContentBasedDeduplication: "true", VisibilityTimeout: 60 },
        deadLetters: { queue: "orders-dead.fifo", maxReceiveCount: 5 },
        tags: { team: "billing", empty: "" },
      },
      "orders-dead.fifo": {},
      elsewhere: {
        region: "us-west-2",
        account: "111111111111",
        attributes: {
          RedriveAllowPolicy: JSON.stringify({
            redrivePermission: "byQueue",
            sourceQueueArns: ["arn:aws:sqs:us-west-2:111111111111:orders"],
          }),
        },
      },
    },
  },
  undefined,
  "\t",
);

test.each([
  ["wasq.yaml", YAML],
  ["wasq.yml", `\uFEFF${YAML.replaceAll("\n", "\r\n")}`],
  ["wasq.json", JSON_TEXT],
])("every setting, and queues: %s", (name, text) => {
  const config = read(name, text);
  expect(config).toMatchObject({
    host: "127.0.0.2",
    port: 4566,
    dataDirectory: join(directory, "data"),
    awsWaits: true,
    autoCreateQueues: true,
    account: "000000000042",
    region: "eu-west-1",
    publicUrl: "http://queues.test:4566",
    notes: [],
  });
  expect(config.queues.map(({ place: _, attributePlaces: __, ...queue }) => queue)).toEqual([
    {
      account: "000000000042",
      region: "eu-west-1",
      name: "orders.fifo",
      attributes: new Map([
        ["ContentBasedDeduplication", "true"],
        ["VisibilityTimeout", "60"],
        [
          "RedrivePolicy",
          '{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000042:orders-dead.fifo","maxReceiveCount":"5"}',
        ],
      ]),
      tags: new Map([
        ["team", "billing"],
        ["empty", ""],
      ]),
    },
    { account: "000000000042", region: "eu-west-1", name: "orders-dead.fifo", attributes: new Map(), tags: new Map() },
    {
      account: "111111111111",
      region: "us-west-2",
      name: "elsewhere",
      attributes: new Map([
        [
          "RedriveAllowPolicy",
          '{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-west-2:111111111111:orders"]}',
        ],
      ]),
      tags: new Map(),
    },
  ]);
});

test("a flag counts more than the environment, that more than the file, and that more than the default", () => {
  const text = "port: 1\nregion: of-file\naccount: '111111111111'\nawsWaits: true\n";
  const env = { WASQ_PORT: "2", WASQ_REGION: "of-environment" };
  expect(read("wasq.yaml", text, ["--port", "3", "--no-aws-waits"], env)).toMatchObject({
    port: 3,
    region: "of-environment",
    account: "111111111111",
    awsWaits: false,
    host: "127.0.0.1",
  });
});

test("the file may be named by the environment, and is not read for help or version", () => {
  writeFileSync(join(directory, "wasq.yaml"), "port: 7\n");
  expect(readConfig(["serve"], { WASQ_CONFIG: join(directory, "wasq.yaml") }).port).toBe(7);
  expect(readConfig(["--version"], { WASQ_CONFIG: "/nowhere.yaml" }).command).toBe("version");
});

test.each(["", "# nothing\n", "queues:\n", "{}"])("a file that says nothing changes nothing: %j", (text) => {
  expect(read("wasq.yaml", text)).toMatchObject({ port: 9324, queues: [] });
});

test("every mistake is told at once, with its line, and the flags' too", () => {
  const text = `port: 70000
hots: 127.0.0.1
region: [a, b]
queues:
  good: {}
  bad name: {}
  orders:
    atributes: {}
    attributes:
      VisibilityTimeout: -1
      DelaySeconds: 5
      Colour: blue
      FifoQueue: true
      Policy: { Statement: none }
    deadLetters:
      queue: dead
    tags:
      "bad?": x
  list: [1]
  late.fifo:
    attributes:
      FifoThroughputLimit: perMessageGroupId
  early.fifo:
    deadLetters: { queue: orders, maxReceiveCount: 3 }
  both:
    deadLetters: { queue: good, maxReceiveCount: 3 }
    attributes: { RedrivePolicy: { deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:good", maxReceiveCount: 3 } }
`;
  expect(mistakesOf("wasq.yaml", `${text}  good: {}\n`)).toEqual(["wasq.yaml:28: Map keys must be unique"]); // YAML's own first
  expect(mistakesOf("wasq.yaml", text, ["--account", "7"])).toEqual([
    'wasq.yaml:1: port is "70000": a number from 0 to 65535 is needed',
    expect.stringMatching(/^wasq\.yaml:2: hots is no setting; known here: host, port, /),
    "wasq.yaml:3: region is a list, where a single value is needed",
    "wasq.yaml:8: queues.orders.atributes is no setting; known here: account, region, attributes, deadLetters, tags",
    "wasq.yaml:15: queues.orders.deadLetters needs both queue and maxReceiveCount",
    "wasq.yaml:19: queues.list is a list, not a group of settings",
    "wasq.yaml:25: queues.both has deadLetters and a RedrivePolicy: one of them is enough",
    '--account is "7": twelve digits are needed',
    expect.stringMatching(/^wasq\.yaml:6: queue bad name: a name has 1 to 80 letters/),
    'wasq.yaml:10: queue orders: VisibilityTimeout is "-1": Invalid value for the parameter VisibilityTimeout.',
    'wasq.yaml:12: queue orders: Colour is "blue": Unknown Attribute Colour.',
    'wasq.yaml:13: queue orders: FifoQueue is "true": Unknown Attribute FifoQueue.',
    expect.stringMatching(/^wasq\.yaml:14: queue orders: Policy is /),
    expect.stringMatching(/^wasq\.yaml:7: queue orders: Tag keys may only contain/),
    expect.stringMatching(
      /^wasq\.yaml:22: queue late\.fifo: FifoThroughputLimit is "perMessageGroupId": The perMessageGroupId/,
    ),
    "wasq.yaml:24: queue early.fifo: the dead letters of a FIFO queue go to a queue of the same type",
  ]);
});

test("a host that others reach is known for one from a file as from a flag", () => {
  expect(read("wasq.yaml", "host: 0.0.0.0\n")).toMatchObject({ isExposed: true, insecureNoAuth: false });
  expect(read("wasq.yaml", "host: 0.0.0.0\ninsecureNoAuth: true\n")).toMatchObject({ insecureNoAuth: true });
});

describe("files that cannot be read", () => {
  test.each([
    ["JSON with a comma too many", "wasq.json", '{\n  "port": 1,\n}', /^wasq\.json:3: this is no JSON: /],
    ["JSON that ends early", "wasq.json", '{"port": 1', /^wasq\.json:1: this is no JSON: /],
    ["JSON with a name twice", "wasq.json", '{"port": 1,\n "port": 2}', /^wasq\.json:2: Map keys must be unique/],
    ["YAML with a tab", "wasq.yaml", "queues:\n\ta: b\n", /^wasq\.yaml:2: /],
    ["YAML with a name twice", "wasq.yaml", "port: 1\nport: 2\n", /^wasq\.yaml:2: Map keys must be unique/],
    ["two documents", "wasq.yaml", "port: 1\n---\nport: 2\n", /multiple documents/],
    ["an unknown tag", "wasq.yaml", "port: !eval 1\n", /^wasq\.yaml:1: .*!eval/],
    ["an unknown alias", "wasq.yaml", "port: *p\n", /^wasq\.yaml:1: /],
    ["a text", "wasq.yaml", "hello\n", /^wasq\.yaml:1: the file is a single value, not a group of settings$/],
    ["a merge key", "wasq.yaml", "a: &a { port: 1 }\n<<: *a\n", /^wasq\.yaml:\d: a is no setting/],
    ["an empty value", "wasq.yaml", "port:\n", /^wasq\.yaml:1: port is empty, where a single value is needed$/],
    ["another ending", "wasq.toml", "port = 1\n", /^--config is "\.\/wasq\.toml": its name must end in \.json, /],
    ["no ending", "wasq", "port: 1\n", /its name must end in/],
    ["too much", "wasq.yaml", `# ${"x".repeat(FILE_BYTES_MAX)}`, /at most 1048576 are allowed$/],
  ])("%s", (_, name, text, expected) => {
    expect(mistakesOf(name, text)[0]).toMatch(expected);
  });

  test("a missing file, a directory, a device", () => {
    mkdirSync(join(directory, "dir.yaml"));
    for (const [path, expected] of [
      [join(directory, "missing.yaml"), /ENOENT/],
      [join(directory, "dir.yaml"), /it is no file/],
    ] as const) {
      expect(() => readConfig(["serve", "--config", path], {})).toThrow(expected);
    }
  });

  test("aliases that stand for millions of values are counted, not expanded", () => {
    const levels = Array.from({ length: 12 }, (_, i) => {
      const of = i === 0 ? '"x"' : `*l${i - 1}`;
      return `l${i}: &l${i} [${Array(10).fill(of).join(", ")}]`;
    });
    const startMs = performance.now();
    expect(mistakesOf("wasq.yaml", `${levels.join("\n")}\n`)[0]).toMatch(/more than 100000 values/);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    const deep = `${"[".repeat(100)}1${"]".repeat(100)}`;
    expect(mistakesOf("wasq.yaml", `queues: ${deep}\n`)[0]).toMatch(/more than 32 inside one another/);
    expect(mistakesOf("wasq.json", `{"queues": ${deep}}`)[0]).toMatch(/more than 32 inside one another/);
  });
});
