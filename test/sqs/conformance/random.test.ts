// The same random requests through both protocols get the same results, and nothing gets an answer outside the catalogue.
// WASQ_RANDOM_RUNS makes more runs, WASQ_RANDOM_SEED repeats those of a seed that was printed.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newAccount, useBroker } from "../../support/conformance.ts";
import { anyStep, FIRST_STEPS, LAST_STEPS, type Step } from "../../support/random-requests.ts";
import { type Answer, PROTOCOLS, type Service } from "../../support/service.ts";
import { SERVICE_ERRORS } from "../../support/service-errors.ts";
import type { Json } from "../../support/sqs-client.ts";

const { process: broker } = useBroker();
const runs = Number(process.env["WASQ_RANDOM_RUNS"] ?? 80);
const seed = Number(process.env["WASQ_RANDOM_SEED"] ?? Date.now() % 2 ** 31);
const MINUTES_MS = 60_000;
console.log(`random requests: WASQ_RANDOM_SEED=${seed} WASQ_RANDOM_RUNS=${runs}`);

/** One account's walk: fills the places of inputs, and makes answers comparable with another account's. */
class Walk {
  readonly #sqs: Service;
  readonly #handles: string[] = [];
  readonly #tokens: string[] = [];
  readonly #names = new Map<string, string>(); // what is random in answers, to its number

  constructor(sqs: Service) {
    this.#sqs = sqs;
  }

  async take({ action, input }: Step): Promise<string> {
    const answer = await this.#sqs.ask(action, this.#filled(input) as Json);
    const comparable = this.#comparable(answer);
    this.#remember(answer);
    return `${action} ${comparable}`;
  }

  #filled(value: unknown): unknown {
    if (typeof value === "string") {
      return value
        .replaceAll("{{account}}", this.#sqs.account)
        .replaceAll("{{endpoint}}", this.#sqs.endpoint)
        .replaceAll(/\{\{(handle|token):(\d+)\}\}/g, (_, kind: string, n: string) => {
          const given = kind === "handle" ? this.#handles : this.#tokens;
          return given[Number(n) % Math.max(given.length, 1)] ?? "junk";
        });
    }
    if (Array.isArray(value)) return value.map((one) => this.#filled(one));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#filled(one)]));
  }

  #remember({ output }: Answer): void {
    for (const message of (output["Messages"] ?? []) as readonly { ReceiptHandle: string }[]) {
      this.#handles.push(message.ReceiptHandle);
    }
    if (typeof output["NextToken"] === "string") this.#tokens.push(output["NextToken"]);
  }

  /** Ids, handles, sequence numbers and tokens become numbers in order of appearance, instants go. */
  #comparable(answer: Answer): string {
    for (const message of (answer.output["Messages"] ?? []) as readonly { ReceiptHandle: string }[]) {
      this.#numbered(message.ReceiptHandle);
    }
    const token = answer.output["NextToken"];
    const output = token === undefined ? answer.output : { ...answer.output, NextToken: "token" };
    let text = JSON.stringify(sorted({ ...answer, output }), (_, value) =>
      typeof value === "string" ? readable(value) : value,
    );
    for (const handle of this.#handles) text = text.replaceAll(handle, this.#numbered(handle));
    text = text.replaceAll(/"ReceiptHandle":"[^"]+"/g, (one) => this.#numbered(one.slice(17, -1)));
    return text
      .replaceAll(this.#sqs.account, "ACCOUNT")
      .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => this.#numbered(id))
      .replaceAll(/(?<="SequenceNumber":")\d{20}/g, (number) => this.#numbered(number))
      .replaceAll(/(?<=Timestamp":")\d+/g, "instant")
      .replaceAll(/(?:NUMBER|STRING)_VALUE/g, "VALUE"); // Query has texts only
  }

  #numbered(value: string): string {
    const known = this.#names.get(value) ?? `#${this.#names.size}`;
    this.#names.set(value, known);
    return known;
  }
}

/** Members in order of their names, for XML has an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(members.map(([name, one]) => [name, sorted(one)]));
}

/** XML has no control characters. */
function readable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return text.replace(/[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/g, "\uFFFD");
}

test(
  "the same requests get the same results in both protocols",
  async () => {
    const refusals = new Set<string>();
    let succeededCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 10, maxLength: 30 }), async (steps) => {
        const [json, query] = PROTOCOLS.map((protocol) => new Walk(newAccount(protocol))) as [Walk, Walk];
        for (const step of [...FIRST_STEPS, ...steps, ...LAST_STEPS]) {
          const [left, right] = await Promise.all([json.take(step), query.take(step)]);
          expect(right, JSON.stringify(step).slice(0, 2_000)).toBe(left);
          const code = /"refusal":"\d+ ([^ ]+)/.exec(left)?.[1];
          if (code === undefined) succeededCount++;
          else refusals.add(code);
        }
      }),
      { numRuns: runs, seed },
    );
    // Both successes and most of the catalogue were met, or the walks show little.
    expect(succeededCount).toBeGreaterThan(runs * 10);
    expect(refusals.size).toBeGreaterThan(10);
  },
  10 * MINUTES_MS,
);

const ACTIONS = [
  "SendMessage",
  "SendMessageBatch",
  "ReceiveMessage",
  "CreateQueue",
  "SetQueueAttributes",
  "ListQueues",
];
const TYPES = ["application/x-amz-json-1.0", "application/x-www-form-urlencoded", "text/plain", ""];

/** A code that the process answered with, whatever the protocol; "" for none. */
function codeOf(text: string, headers: Headers): string {
  return headers.get("x-amzn-query-error")?.split(";")[0] ?? /<Code>([^<]*)</.exec(text)?.[1] ?? "";
}

test(
  "any bytes get an answer of the catalogue, and the next request works",
  async () => {
    const sqs = newAccount("JSON");
    await sqs.call("CreateQueue", { QueueName: "a" });
    const header = fc.oneof(fc.constant(""), fc.string({ maxLength: 40 }));
    const path = fc.oneof(fc.constantFrom("/", "/a", `/${sqs.account}/a`, "//", "/%zz"), fc.webPath());
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "POST", "POST", "POST"),
        path,
        fc.oneof(
          fc.constant(""),
          fc.webQueryParameters(),
          fc.constantFrom(...ACTIONS).map((name) => `Action=${name}`),
        ),
        fc.constantFrom(...TYPES),
        fc.constantFrom(...ACTIONS),
        header,
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.json().map((text) => Buffer.from(text)),
          fc.webQueryParameters().map((text) => Buffer.from(text)),
        ),
        async (method, where, query, type, action, authorization, bytes) => {
          const reply = await sqs.raw({
            method,
            path: `${where}?${query}`,
            headers: { "content-type": type, "x-amz-target": `AmazonSQS.${action}`, authorization },
            ...(method === "GET" ? {} : { body: new Uint8Array(bytes) }),
          });
          const code = codeOf(reply.text, reply.headers);
          if (reply.status === 200) expect(code).toBe("");
          else if (reply.text === "<UnknownOperationException/>") expect(reply.status).toBe(404);
          else expect({ code, status: reply.status }).toEqual({ code, status: SERVICE_ERRORS[code]?.status });
        },
      ),
      { numRuns: runs * 10, seed },
    );
    await sqs.call("SendMessage", { QueueUrl: "a", MessageBody: "still there" });
  },
  10 * MINUTES_MS,
);

/** Resident memory of the process, in MiB. */
function residentMiB(): number {
  const status = readFileSync(`/proc/${broker().child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
}

test.runIf(process.platform === "linux")("large hostile bodies leave no memory behind", async () => {
  const sqs = newAccount("JSON");
  const MiB = 2 ** 20;
  const bodies: readonly (readonly [action: string, body: string])[] = [
    ["SendMessage", "[".repeat(MiB / 2)],
    ["SendMessage", `{"MessageBody":${"[".repeat(MiB / 2)}`],
    ["SendMessage", `{"QueueUrl":"${"x".repeat(6 * MiB)}"}`],
    ["SendMessageBatch", `{"Entries":[${'{"Id":"a"},'.repeat(MiB / 16)}{"Id":"a"}]}`],
    ["SetQueueAttributes", `{"Attributes":{${Array.from({ length: 30_000 }, (_, i) => `"k${i}":"v"`).join()}}}`],
  ];
  const send = async (): Promise<void> => {
    for (const [action, body] of bodies) {
      const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
      const reply = await sqs.raw({ headers, body });
      expect(codeOf(reply.text, reply.headers)).toMatch(/^(MalformedInput|AWS\.SimpleQueueService\.NonExistentQueue)$/);
    }
    const form = "a=b&".repeat(MiB);
    const reply = await sqs.raw({ headers: { "content-type": "application/x-www-form-urlencoded" }, body: form });
    expect(codeOf(reply.text, reply.headers)).toBe("MalformedInput");
  };
  for (let i = 0; i < 4; i++) await send();
  const before = residentMiB();
  for (let i = 0; i < 16; i++) await send(); // some 200 MiB, which would show
  expect(residentMiB() - before).toBeLessThan(100);
});
