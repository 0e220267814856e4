// Tables of rules, each row asked of the real process in both protocols:
//
//   [rule, action, input, expected, unsure?]
//
//   expected  an error as `status code | message`, or the output: a member that is not named must not be there
//   unsure    the service's own behaviour is not known well: where the source decides it, as `file name`
//
// The rows of one table share an account, and with it the queues its `given` makes; what changes things is a scenario.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrokerProcess, startBroker } from "./broker-process.ts";
import { PROTOCOLS, type Protocol, Service } from "./service.ts";
import type { Json } from "./sqs-client.ts";

type Of<T> = T | ((sqs: Service) => T);
export type Row = readonly [
  rule: string,
  action: string,
  input: Of<Json>,
  expected: Of<string | Json>,
  unsure?: string | undefined,
];
export type Given = readonly [action: string, input: Of<Json>];

let broker: BrokerProcess | undefined;
let accountCount = 0;

/** Starts the process that all rows of a test file are asked of. */
export function useBroker(args: readonly string[] = []): { readonly process: () => BrokerProcess } {
  const directory = mkdtempSync(join(tmpdir(), "wasq-conformance-"));
  beforeAll(async () => {
    broker = await startBroker(directory, { args });
  });
  afterAll(async () => {
    const errors = broker?.stderr();
    await broker?.stop("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
    expect(errors, "what the process had to complain of").toBe("");
  });
  return { process: running };
}

function running(): BrokerProcess {
  if (broker === undefined) throw new Error("The test file does not call useBroker");
  return broker;
}

/** An account that nobody used before: its queues are its own. */
export function newAccount(protocol: Protocol, region?: string): Service {
  const account = String(100_000_000_000 + ++accountCount);
  return new Service(running().endpoint, protocol, account, region);
}

export function conformance(section: string, given: readonly Given[], rows: readonly Row[]): void {
  describe.each(PROTOCOLS)(`${section} [%s]`, (protocol) => {
    let sqs: Service;
    beforeAll(async () => {
      sqs = newAccount(protocol);
      for (const [action, input] of given) await sqs.call(action, resolve(input, sqs));
    });
    for (const [rule, action, input, expected, unsure] of rows) {
      test(titleOf(rule, unsure), async () => {
        const answer = await sqs.ask(action, resolve(input, sqs));
        const wanted = resolve(expected, sqs);
        if (typeof wanted === "string") expect(answer.refusal).toBe(readable(wanted, protocol));
        else expect(answer).toEqual({ status: 200, refusal: "", output: wanted });
      });
    }
  });
}

/** A rule that takes more than one request to show. */
export function scenario(rule: string, run: (sqs: Service) => Promise<void>, unsure?: string): void {
  test.each(PROTOCOLS)(`${titleOf(rule, unsure)} [%s]`, (protocol) => run(newAccount(protocol)));
}

function resolve<T>(value: Of<T>, sqs: Service): T {
  return typeof value === "function" ? (value as (sqs: Service) => T)(sqs) : value;
}

/** XML cannot have the control characters that a client may have sent. */
function readable(line: string, protocol: Protocol): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return protocol === "JSON" ? line : line.replace(/[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/g, "\uFFFD");
}

function titleOf(rule: string, unsure: string | undefined): string {
  if (unsure === undefined) return rule;
  const [file = "", name = ""] = unsure.split(" ");
  const source = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  if (name === "" || !source.includes(name)) throw new Error(`"${rule}" names ${unsure}, which is not there`);
  return `${rule} (unsure: ${unsure} decides)`;
}
