// What earlier versions wrote is read: every queue, every message, every handle, every deduplication ID.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { SteadyClock } from "../../src/broker/steady-clock.ts";
import { openLog } from "../../src/log/local-log.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { encryptionIn, keyringIn } from "../support/log-key.ts";
import { find, openOn, outgoing, receive, remove, send } from "../support/open-broker.ts";
import { type Expected, type ExpectedMessage, expectedOf } from "./write.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const VERSIONS = readdirSync(HERE).filter((name) => existsSync(join(HERE, name, "expected.json")));
const HELD_MS = 3_600_000;

let directory = "";
let notes: string[] = [];
let opened: OpenedBroker | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-golden-"));
  notes = [];
});

afterEach(async () => {
  await opened?.close();
  opened = undefined;
  rmSync(directory, { recursive: true });
});

/** Unpacks the version's files. @returns what is in them */
function unpack(version: string): Expected {
  for (const name of readdirSync(join(HERE, version)).filter((each) => each.endsWith(".gz"))) {
    writeFileSync(join(directory, name.slice(0, -3)), gunzipSync(readFileSync(join(HERE, version, name))), {
      mode: 0o600,
    });
  }
  return JSON.parse(readFileSync(join(HERE, version, "expected.json"), "utf8")) as Expected;
}

async function open({ segmentBytes, writtenMs }: Expected): Promise<OpenedBroker> {
  const clock = new SteadyClock(() => writtenMs);
  const onNote = (text: string) => notes.push(text);
  const disk = new NodeDisk(directory);
  opened = await openOn(disk, onNote, {
    segmentBytes,
    clock,
    keyProvider: keyringIn(directory),
    openLog: (codec, bytes) =>
      openLog(disk, { codec, segmentBytes: bytes, onNote, encryption: encryptionIn(directory) }),
  });
  return opened;
}

test("there is a log of the first version", () => {
  expect(VERSIONS).toContain("0.1.0");
});

describe.each(VERSIONS)("the log that %s wrote", (version) => {
  test("has every queue, with its settings and tags, and as many messages as it had", async () => {
    const expected = unpack(version);
    const { broker } = await open(expected);
    const found = broker.list("000000000000", "us-east-1", "", "", 100);
    expect(found.map(({ name }) => name)).toEqual(expected.queues.map(({ name }) => name));
    for (const { name, settings, tags, createdMs, counts } of expected.queues) {
      const queue = find(broker, name);
      expect(queue.settings).toMatchObject(settings);
      expect([...queue.tags]).toEqual(tags);
      expect(queue.createdMs).toBe(createdMs);
      expect(broker.counts(queue)).toEqual(counts);
    }
    expect(notes).toEqual([]);
  });

  test("has every message, as it was sent, in order", async () => {
    const expected = unpack(version);
    const { broker } = await open(expected);
    for (const { name, messages } of expected.queues) {
      const queue = find(broker, name);
      const met: ExpectedMessage[] = [];
      for (;;) {
        const received = await receive(broker, queue, 10, HELD_MS);
        if (received.status !== "ok" || received.messages.length === 0) break;
        met.push(...received.messages.map(expectedOf));
        // A group's later messages come once the earlier ones are gone.
        if (queue.settings.fifo) {
          const handles = received.messages.map((message) => message.receiptHandle);
          expect(new Set(await remove(broker, queue, handles))).toEqual(new Set(["ok"]));
        }
      }
      expect(JSON.parse(JSON.stringify(met))).toEqual(messages);
    }
  });

  test("knows its receipt handles and deduplication IDs, also after it has been written on and opened again", async () => {
    const expected = unpack(version);
    for (let round = 0; round < 2; round++) {
      const { broker } = await open(expected);
      for (const { name, duplicates } of expected.queues) {
        for (const [groupId, deduplicationId, messageId] of duplicates) {
          const message =
            deduplicationId === ""
              ? { ...outgoing("by content"), groupId }
              : outgoing("another body", { groupId, deduplicationId });
          const [sent] = await send(broker, find(broker, name), [message]);
          expect(sent).toMatchObject({ status: "duplicate", messageId });
        }
        expect(broker.counts(find(broker, name))).toEqual(expected.queues.find((queue) => queue.name === name)?.counts);
      }
      await opened?.close();
    }
    const { broker } = await open(expected);
    for (const { name, handles, staleHandles, counts } of expected.queues) {
      const queue = find(broker, name);
      if (staleHandles.length > 0) await remove(broker, queue, staleHandles);
      expect(broker.counts(queue)).toEqual(counts);
      for (const handle of handles) expect(await remove(broker, queue, [handle])).toEqual(["ok"]);
      expect(broker.counts(queue).inFlight).toBe(counts.inFlight - handles.length);
    }
  });
});
