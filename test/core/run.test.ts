// Messages of nothing but a body that came in one frame, or short ones of a batch, share a record: a RUN of PARTs (assembly/record.ts).
import { describe, expect, test } from "vitest";
import { Core } from "../../src/core/core.ts";
import { readStoredMessage } from "../../src/core/stored-message.ts";
import { PublishType } from "../../src/stream/schema.ts";
import { MODULE, type SendEntry, SHORT_TAIL, SIZES, STANDARD } from "../support/core-driver.ts";
import { type PartKind, putParts, putRunHead } from "../support/parts.ts";
import { type DeliveredMessage, StreamDriver } from "../support/stream-driver.ts";

const RUN_HEAD_BYTES = 56;
const PART_HEAD_BYTES = 32;
const SENDER = "sender";
const ALL_FIELDS = 0xffe;
const SEGMENT = 0;
/** What is written, and what was before segments had version 6, and 5: read as ever. */
const KINDS: readonly PartKind[] = ["PART", "PART_XXH64", "PART_CRC"];

/** A body whose part needs no padding, so that each of its bytes counts. */
const bodyOf = (i: number, words = 1): string => `${i}`.padEnd(8 * words + 2, "body ");
const textOf = (body: Uint8Array): string => Buffer.from(body).toString();
const partBytes = (body: string): number => (PART_HEAD_BYTES + SENDER.length + body.length + 7) & ~7;

function publish(d: StreamDriver, publisher: number, first: number, bodies: readonly string[]): void {
  const bytes = PublishType.encode({ publisher: 1, first, messages: bodies.map((text) => ({ text })) }).finish();
  expect(d.publish(publisher, "main", bytes).code).toBe("done");
}

/** The log with a frame of so many messages at its end, its parts of that kind, and where that begins. */
function logOf(count: number, kind: PartKind): { bytes: Buffer; runOffset: number; runBytes: number } {
  const d = new StreamDriver([STANDARD]);
  const runOffset = d.logBytes.byteLength;
  const bodies = Array.from({ length: count }, (_, i) => bodyOf(i, 1 + (i % 3)));
  publish(d, d.openPublisher(), 1, bodies);
  const bytes = d.logBytes;
  const runBytes = RUN_HEAD_BYTES + bodies.reduce((sum, body) => sum + partBytes(body), 0);
  expect(bytes.byteLength).toBe(runOffset + runBytes);
  putParts(bytes.subarray(runOffset), kind, SEGMENT);
  return { bytes, runOffset, runBytes };
}

/** What a start makes of it: how many bytes are records, what comes behind them, and how many messages there are. */
function replayed(bytes: Buffer): { consumedBytes: number; stop: string; messages: number } {
  const core = Core.load(MODULE, SIZES);
  core.beginReplay(0);
  const { segmentHeaderBytes } = SIZES;
  const { consumedBytes, stop } = core.replay(bytes.subarray(segmentHeaderBytes), segmentHeaderBytes, () => {});
  core.openQueue(1);
  expect(core.finishReplay(0, segmentHeaderBytes + consumedBytes)).toBe(true);
  return { consumedBytes: segmentHeaderBytes + consumedBytes, stop, messages: core.liveMessages };
}

test("a part has the checksum that is drawn", () => {
  const d = new StreamDriver([STANDARD]);
  publish(d, d.openPublisher(), 1, ["", "1", "seven b", bodyOf(0, 3), bodyOf(1, 200)]);
  const written = d.logBytes;
  const drawn = Buffer.from(written);
  putParts(drawn.subarray(SIZES.segmentHeaderBytes), "PART", SEGMENT);
  expect(drawn.equals(written)).toBe(true);
});

describe.each(KINDS)("a start takes all of a frame's record or nothing: %s", (kind) => {
  const { bytes, runOffset, runBytes } = logOf(5, kind);

  test("whole, it has every message", () => {
    expect(replayed(bytes)).toEqual({ consumedBytes: runOffset + runBytes, stop: "more", messages: 5 });
  });

  test("wherever the power cut it off, nothing of it is there", () => {
    for (let keptBytes = 0; keptBytes < runBytes; keptBytes++) {
      const torn = Buffer.from(bytes);
      torn.fill(0, runOffset + keptBytes);
      const { consumedBytes, stop, messages } = replayed(torn);
      expect([keptBytes, consumedBytes, messages]).toEqual([keptBytes, runOffset, 0]);
      expect(stop).toBe(keptBytes === 0 ? "end" : "invalid");
    }
  });

  test("a changed bit anywhere is noticed", () => {
    for (let at = 0; at < runBytes; at++) {
      const changed = Buffer.from(bytes);
      changed[runOffset + at] = (changed[runOffset + at] as number) ^ (1 << (at % 8));
      const { consumedBytes, messages } = replayed(changed);
      expect([at, consumedBytes, messages]).toEqual([at, runOffset, 0]);
    }
  });

  test("the same parts in another segment are none of its own: a file that is used again may have them", () => {
    const run = Buffer.from(bytes.subarray(runOffset));
    const segment = SEGMENT + 1;
    const position = segment * SIZES.segmentBytes + SIZES.segmentHeaderBytes;
    putRunHead(run, segment); // the head is one of this segment's, whole and valid
    const core = Core.load(MODULE, SIZES);
    core.beginReplay(0);
    expect(core.replay(run, position, () => {}).stop).toBe("invalid");
    expect(core.findLater(run, position)).toBe(-1);
    putParts(run, kind, segment);
    expect(core.findLater(run, position)).not.toBe(-1);
    expect(core.replay(run, position, () => {})).toEqual({ consumedBytes: runBytes, stop: "more" });
  });

  test("the same parts in another log are none of its own: a client may have sent them", () => {
    const run = Buffer.from(bytes.subarray(runOffset));
    const seed = 0x89ab_cdef;
    const segment = SEGMENT + 1; // the first that may have one
    const position = segment * SIZES.segmentBytes + SIZES.segmentHeaderBytes;
    putParts(run, kind, segment);
    putRunHead(run, segment, seed);
    const core = Core.load(MODULE, SIZES);
    core.beginReplay(0);
    core.setSeed(segment, seed);
    expect(core.replay(run, position, () => {}).stop).toBe("invalid");
    expect(core.findLater(run, position)).toBe(-1);
    putParts(run, kind, segment, seed);
    expect(core.replay(run, position, () => {})).toEqual({ consumedBytes: runBytes, stop: "more" });
  });

  test("a part is no record by itself", () => {
    const core = Core.load(MODULE, SIZES);
    core.beginReplay(0);
    const parts = bytes.subarray(runOffset + RUN_HEAD_BYTES);
    expect(core.replay(parts, runOffset + RUN_HEAD_BYTES, () => {})).toEqual({ consumedBytes: 0, stop: "invalid" });
  });
});

describe.each(KINDS)("a message that is read back is read alone: %s", (kind) => {
  const { bytes, runOffset } = logOf(3, kind);
  const body = bodyOf(1, 2);
  const position = runOffset + RUN_HEAD_BYTES + partBytes(bodyOf(0));
  const part = bytes.subarray(position, position + partBytes(body));

  test("as it was sent", () => {
    const core = Core.load(MODULE, SIZES);
    core.load(position, part);
    const record = core.record(position, part.byteLength);
    expect(record && readStoredMessage(Buffer.from(record))).toMatchObject({ body, senderId: SENDER });
  });

  test("together with those beside it, from the middle of a record on", () => {
    const core = Core.load(MODULE, SIZES);
    const rest = bytes.subarray(position);
    core.load(position, rest);
    const next = position + part.byteLength;
    expect(core.hasRecord(position, part.byteLength)).toBe(true);
    expect(core.hasRecord(next, partBytes(bodyOf(2, 3)))).toBe(true);
    expect(core.hasRecord(next, partBytes(bodyOf(2, 3)) - 8)).toBe(false);
  });

  test("and not when a bit of it has changed, which keeps nobody from the others", () => {
    const end = bytes.byteLength;
    for (let at = 0; at < part.byteLength; at++) {
      const core = Core.load(MODULE, SIZES);
      const changed = Buffer.from(bytes.subarray(runOffset));
      const offset = position - runOffset + at;
      changed[offset] = (changed[offset] as number) ^ (1 << (at % 8));
      core.load(runOffset, changed);
      expect([at, core.hasRecord(position, part.byteLength)]).toEqual([at, false]);
      const lastBytes = partBytes(bodyOf(2, 3));
      expect([at, core.hasRecord(end - lastBytes, lastBytes)]).toEqual([at, true]);
    }
  });
});

test("a changed bit of a part's padding is noticed, too", () => {
  const d = new StreamDriver([STANDARD]);
  const body = bodyOf(0).slice(1); // one byte less than fills it
  publish(d, d.openPublisher(), 1, [body]);
  const { logBytes } = d;
  expect(replayed(logBytes).messages).toBe(1);
  for (let bit = 0; bit < 8; bit++) {
    const changed = Buffer.from(logBytes);
    changed[changed.byteLength - 1] = 1 << bit;
    expect([bit, replayed(changed).messages]).toEqual([bit, 0]);
  }
});

test("wherever the end of the tail falls in a frame, its messages are delivered as they were sent", () => {
  const frame = [0, 1, 2].map((i) => bodyOf(i, 1 + i));
  const frameBytes = RUN_HEAD_BYTES + frame.reduce((sum, body) => sum + partBytes(body), 0);
  const d = new StreamDriver([STANDARD], SHORT_TAIL);
  const publisher = d.openPublisher();
  for (let marginBytes = 8, first = 1; marginBytes <= frameBytes + 64; marginBytes += 8, first += frame.length) {
    d.fillUpTo(0, marginBytes);
    publish(d, publisher, first, frame);
    const bodies: string[] = [];
    d.onMessage = (_, __, { body }) => bodies.push(textOf(body));
    d.subscribe("all", { queue: "main" });
    d.credit("all", 10);
    d.settle("all", "ack", "1-3");
    d.close("all");
    expect([marginBytes, ...bodies]).toEqual([marginBytes, ...frame]);
  }
});

describe("a batch", () => {
  const SHORT_BYTES_MAX = 512;
  const SENT = 1;
  const RUN = 14;

  /** The kinds of the records that the batch makes. */
  function kindsOf(entries: readonly SendEntry[], queue = STANDARD): number[] {
    const d = new StreamDriver([queue]);
    const start = d.logBytes.byteLength;
    d.send("main", entries);
    const records = d.logBytes.subarray(start);
    const kinds: number[] = [];
    for (let at = 0; at < records.byteLength; at += (records.readUIntLE(at + 4, 3) + 7) & ~7) {
      kinds.push(records[at + 7] as number);
    }
    return kinds;
  }

  const short = { body: "x".repeat(SHORT_BYTES_MAX) };

  test.each([
    ["short ones", [short, { body: "y" }, { body: "z", delayMs: 0 }], [RUN]],
    ["one alone", [short], [SENT]],
    ["a longer one among them", [short, short, { body: `${short.body}x` }, short], [RUN, SENT, RUN]],
    ["one with attributes", [short, { body: "a", attributesBytes: 20 }, short], [RUN, SENT, RUN]],
    ["one with a group", [short, { body: "g", groupId: "g" }, short], [RUN, SENT, RUN]],
    ["one with a delay", [short, { body: "d", delayMs: 1 }, short], [RUN, SENT, RUN]],
  ])("of %s", (_what, entries, kinds) => {
    expect(kindsOf(entries)).toEqual(kinds);
  });

  test("to a queue with a delay, or a FIFO queue, has a record for each", () => {
    expect(kindsOf([short, short], { ...STANDARD, delayMs: 1 })).toEqual([SENT, SENT]);
    const grouped = ["1", "2"].map((deduplicationId) => ({ ...short, groupId: "g", deduplicationId }));
    expect(kindsOf(grouped, { ...STANDARD, fifo: true })).toEqual([SENT, SENT]);
  });

  test("is there as it was sent, its sequence numbers as they were told", () => {
    const d = new StreamDriver([STANDARD]);
    const bodies = ["one", "two".repeat(SHORT_BYTES_MAX), "three", ""];
    const sent = d.send(
      "main",
      bodies.map((body) => ({ body })),
    );
    expect(sent.map(({ sequence }) => sequence - (sent[0]?.sequence ?? 0))).toEqual([0, 1, 2, 3]);
    const there = seen(d).map(({ body, id }) => [textOf(body), Buffer.from(id).toString("hex")]);
    expect(there).toEqual(bodies.map((body, i) => [body, sent[i]?.messageId.replaceAll("-", "")]));
    expect(replayed(d.logBytes).messages).toBe(4);
  });
});

/** Everything that is visible, in order; it stays. */
function seen(d: StreamDriver): DeliveredMessage[] {
  const messages: DeliveredMessage[] = [];
  d.onMessage = (_, __, message) => messages.push(message);
  d.subscribe("all", { queue: "main", fields: ALL_FIELDS, group: 100 });
  d.credit("all", 100_000);
  d.onMessage = () => {};
  d.close("all");
  return messages;
}

describe("frames, their records given up again and again", () => {
  test.each([
    ["with a tail that holds all", SIZES, "PART"],
    ["with one that goes round", SHORT_TAIL, "PART"],
    ["written before a start by an earlier version", SIZES, "PART_CRC"],
    ["and so that they have to be read back", SHORT_TAIL, "PART_CRC"],
    ["written before a start by a less early version", SIZES, "PART_XXH64"],
  ] as const)("%s: who is left is as he was sent, with his receives", (_, sizes, kind) => {
    const d = new StreamDriver([STANDARD], sizes);
    let publisher = d.openPublisher(Buffer.alloc(16, 7));
    const kept = new Map<string, boolean>(); // by body; whether it has been received
    let sent = 0;
    for (let round = 0; round < 12; round++) {
      for (let frame = 0; frame < 40; frame++) {
        const bodies = Array.from({ length: 1 + ((frame * 7) % 30) }, (_, i) =>
          bodyOf(sent + i, 1 + ((sent + i) % 40)),
        );
        publish(d, publisher, sent + 1, bodies);
        sent += bodies.length;
        for (const body of bodies) kept.set(body, false);
      }
      // Of ten one stays as it is, one goes back, and eight are deleted.
      const bodies: string[] = [];
      d.onMessage = (_, __, { body }) => bodies.push(textOf(body));
      d.subscribe("worker", { queue: "main" });
      d.credit("worker", 500);
      d.onMessage = () => {};
      bodies.forEach((body, i) => {
        if (i % 10 < 8) {
          d.settle("worker", "ack", `${i + 1}`);
          kept.delete(body);
        } else if (i % 10 === 8) {
          d.settle("worker", "nack", `${i + 1}`);
          kept.set(body, true);
        }
      });
      d.close("worker");
      d.reclaim(round);
      d.reclaim(sent); // among the newer ones, too, of which nobody has received anything
      // What a message counts for is the same in a record of either kind: here no RUN had to make way for a BRIEF one.
      for (const [body, bytes] of d.payloadSizes("main")) {
        expect([body, bytes]).toEqual([body, partBytes(body) - PART_HEAD_BYTES]);
      }
      if (round % 3 === 2) {
        d.changeLog((records, segment) => putParts(records, kind, segment));
        d.restart();
        publisher = d.openPublisher(Buffer.alloc(16, 7));
      } else if (round % 3 === 1) d.index();
    }
    d.changeLog((records, segment) => putParts(records, kind, segment));
    d.restart();
    d.advanceTo(d.nowMs + STANDARD.visibilityMs);
    const found = seen(d);
    expect(found.map(({ body }) => textOf(body)).toSorted()).toEqual([...kept.keys()].toSorted());
    expect(new Set(found.map(({ senderId }) => senderId))).toEqual(new Set([SENDER]));
    expect(new Set(found.map(({ id }) => Buffer.from(id).toString("hex"))).size).toBe(found.length);
    for (const { body, earlierReceives } of found) {
      if (kept.get(textOf(body))) expect([textOf(body), earlierReceives]).not.toEqual([textOf(body), 0]);
    }
  });
});
