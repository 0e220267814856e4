// The audit log: what is in a line, and what bounds it.
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Audit, type Refusal, type Who } from "../../src/audit/audit.ts";
import { AuditFile } from "../../src/audit/audit-file.ts";
import { FakeClock } from "../support/fake-broker.ts";

const ALICE: Who = { principal: "arn:alice", accessKeyId: "AKIA1", address: "10.0.0.1", userAgent: "sdk" };
const REFUSAL: Refusal = {
  api: "sqs",
  action: "SendMessage",
  resource: "arn:q",
  code: "AccessDeniedException",
  text: "No",
};

function setUp() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const audit = new Audit({ write: (line) => lines.push(line) }, clock);
  const told = () => lines.splice(0).map((line) => JSON.parse(line));
  return { clock, audit, lines, told };
}

describe("a line", () => {
  test("is one JSON object with when, what and who", () => {
    const { audit, lines } = setUp();
    audit.refused(ALICE, REFUSAL);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{"at":"2023-11-14T22:13:20.000Z","event":"refused",[^\n]*\}\n$/);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ ...REFUSAL, ...ALICE });
  });

  test("says nothing of what is not known, and has no line in it that somebody else wrote", () => {
    const { audit, lines } = setUp();
    const userAgent = `x\n{"event":"identities"}\u2028${"y".repeat(10_000)}`;
    audit.administered({ ...ALICE, principal: "", userAgent }, { action: "CreateQueue", resource: "arn:q", code: "" });
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
    const line = JSON.parse(lines[0] ?? "");
    expect([line.principal, line.code, line.userAgent.length]).toEqual([undefined, undefined, 512]);
  });
});

describe("what is bounded", () => {
  test("a hundred refusals a second are told, the rest counted", () => {
    const { audit, clock, told } = setUp();
    for (let i = 0; i < 1_000; i++) audit.refused(ALICE, REFUSAL);
    expect(told()).toHaveLength(100);
    clock.advance(1_000);
    audit.refused(ALICE, REFUSAL);
    expect(told()).toMatchObject([{ event: "refusals left out", count: 900 }, { event: "refused" }]);
    for (let i = 0; i < 101; i++) audit.refused(ALICE, REFUSAL);
    told();
    audit.flush();
    expect(told()).toMatchObject([{ event: "refusals left out", count: 2 }]);
  });

  test("uses of a queue's key are counted, and told once a minute", () => {
    const { audit, told } = setUp();
    const asked = { action: "Decrypt", key: "", resource: "arn:q", code: "" } as const;
    for (let i = 0; i < 3; i++) audit.keyAsked(asked);
    audit.keyAsked({ ...asked, code: "KmsDisabled" });
    expect(told()).toEqual([]);
    audit.flush();
    const line = { event: "queue key asked", action: "Decrypt", resource: "arn:q" };
    expect(told()).toMatchObject([
      { ...line, times: 3 },
      { ...line, times: 1, code: "KmsDisabled" },
    ]);
    audit.flush();
    expect(told()).toEqual([]);
  });

  test("uses of a key are counted, and told once a minute for each address", () => {
    const { audit, told } = setUp();
    for (let i = 0; i < 3; i++) audit.used("AKIA1", "arn:alice", "10.0.0.1");
    audit.used("AKIA1", "arn:alice", "10.0.0.2");
    audit.used("AKIA2", "arn:bob", "10.0.0.1");
    audit.flush();
    audit.flush();
    const all = told().map(({ at: _, ...line }) => line);
    const use = (accessKeyId: string, principal: string, address: string, signatures: number) => ({
      ...{ event: "key used", accessKeyId, principal, address, signatures },
    });
    expect(all).toEqual([
      use("AKIA1", "arn:alice", "10.0.0.1", 3),
      use("AKIA1", "arn:alice", "10.0.0.2", 1),
      use("AKIA2", "arn:bob", "10.0.0.1", 1),
    ]);
  });

  test("keys are counted without end, and kept with one", () => {
    const { audit, told } = setUp();
    for (let i = 0; i < 25_000; i++) audit.used(`ASIA${i}`, "arn:worker", "10.0.0.1");
    audit.flush();
    expect(told()).toHaveLength(25_000);
  });
});

describe("the file", () => {
  test("is its owner's, has every line in order, and goes on in a new one", async () => {
    const directory = mkdtempSync(join(tmpdir(), "wasq-audit-"));
    try {
      const path = join(directory, "audit.log");
      const troubles: string[] = [];
      const file = new AuditFile(path, (text) => troubles.push(text), 10_000);
      for (let i = 0; i < 1_500; i++) {
        file.write(`{"line":${i}}\n`);
        if (i % 100 === 0) await new Promise((later) => setTimeout(later, 1));
      }
      await file.close();
      const again = new AuditFile(path, (text) => troubles.push(text), 10_000);
      again.write('{"line":1500}\n');
      await again.close();
      const text = readFileSync(`${path}.1`, "utf8") + readFileSync(path, "utf8");
      const numbers = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).line as number);
      const first = numbers[0] ?? 0; // what was before the one before is gone
      expect(numbers).toEqual(Array.from({ length: 1_501 - first }, (_, i) => first + i));
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(troubles).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("that was moved away, or removed, is made anew at its path by the next line", async () => {
    const directory = mkdtempSync(join(tmpdir(), "wasq-audit-"));
    try {
      const path = join(directory, "audit.log");
      const troubles: string[] = [];
      const file = new AuditFile(path, (text) => troubles.push(text));
      const put = async (line: string): Promise<void> => {
        file.write(line);
        await expect.poll(() => existsSync(path) && readFileSync(path, "utf8").endsWith(line)).toBe(true);
      };
      await put("one\n");
      renameSync(path, join(directory, "moved"));
      await put("two\n");
      await put("three\n");
      rmSync(path);
      await put("four\n");
      renameSync(path, join(directory, "moved-too"));
      writeFileSync(path, "made by another\n"); // as logrotate's `create` does
      await put("five\n");
      await file.close();
      const text = (name: string): string => readFileSync(join(directory, name), "utf8");
      expect([text("moved"), text("moved-too"), text("audit.log")]).toEqual([
        "one\n",
        "four\n",
        "made by another\nfive\n",
      ]);
      expect(troubles).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("that cannot be opened stops who wants it", () => {
    expect(() => new AuditFile("/nowhere/audit.log", () => {})).toThrow(/Cannot open the audit log \/nowhere/);
  });
});
