// A frame of messages is one entry in the index of its segment: two bytes a message.
import fc from "fast-check";
import { Writer } from "protobufjs";
import { expect, test } from "vitest";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { STANDARD } from "../support/core-driver.ts";
import { StreamDriver } from "../support/stream-driver.ts";

const PublishType = EnvelopeType.root.lookupType("wasq.v1.Publish");
const SPAN = 257;
const SPAN_HEAD_BYTES = 56;
const SEGMENT_HEADER_BYTES = 4096;
const RUNS = Number(process.env["WASQ_STREAM_RUNS"] ?? 100);
const HELD_MS = 43_200_000;

function frameOf(first: number, texts: readonly string[]): Uint8Array {
  const messages = texts.map((text) => ({ text }));
  return PublishType.encode(PublishType.fromObject({ publisher: 1, first, messages }), Writer.create()).finish();
}

/** The first index entry of the log's first segment that tells of messages. */
function firstEntry(d: StreamDriver, position: number): { kind: number; sizeBytes: number; count: number } {
  const { entries } = d.core.outline(position, d.core.headPosition, 1024 * 1024);
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  return { kind: view.getUint32(4, true), sizeBytes: view.getUint32(0, true), count: view.getUint32(48, true) };
}

test("a hundred messages of one frame are one entry, of two bytes each and a head", () => {
  const d = new StreamDriver([STANDARD]);
  const position = d.core.headPosition;
  expect(position).toBeGreaterThan(SEGMENT_HEADER_BYTES);
  d.publish(
    d.openPublisher(),
    "main",
    frameOf(
      1,
      Array.from({ length: 100 }, (_, i) => `m${i}`),
    ),
  );
  expect(firstEntry(d, position)).toEqual({ kind: SPAN, sizeBytes: SPAN_HEAD_BYTES + 200, count: 100 });
});

test("slots that were freed in order are taken in the opposite one, and are one entry as well", () => {
  const d = new StreamDriver([STANDARD]);
  const publisher = d.openPublisher();
  const texts = (round: number) => Array.from({ length: 10 }, (_, i) => `${round}-${i}`);
  d.publish(publisher, "main", frameOf(1, texts(1)));
  for (const receipt of d.receive("main", 10, HELD_MS)) d.delete("main", receipt);
  const position = d.core.headPosition;
  d.publish(publisher, "main", frameOf(11, texts(2)));
  expect(firstEntry(d, position)).toMatchObject({ kind: SPAN, count: 10 });
});

type Step =
  | { readonly kind: "publish"; readonly queue: number; readonly sizes: readonly number[] }
  | { readonly kind: "receive"; readonly queue: number; readonly deletes: number }
  | { readonly kind: "move"; readonly count: number }
  | { readonly kind: "advance" }
  | { readonly kind: "index" }
  | { readonly kind: "restart" }
  | { readonly kind: "reclaim"; readonly place: number };

const queue = fc.nat(1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      queue,
      sizes: fc.array(
        fc.oneof(
          { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }) },
          { weight: 1, arbitrary: fc.integer({ min: 900, max: 1100 }) },
        ),
        {
          minLength: 1,
          maxLength: 30,
        },
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("receive" as const),
      queue,
      deletes: fc.oneof(fc.nat(0x3ff), fc.constant(0x3ff)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("move" as const), count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("advance" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("index" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reclaim" as const), place: fc.nat(5) }) },
);

test("whatever is published, deleted and moved, and however segments are indexed and given up, a start finds what lives", () => {
  const NAMES = ["main", "other"] as const;
  let indexedCount = 0;
  let reclaimedCount = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 60 }), (steps) => {
      const d = new StreamDriver([STANDARD, { ...STANDARD, name: "other" }]);
      const live = [new Set<string>(), new Set<string>()] as const;
      let publishers = NAMES.map(() => d.openPublisher());
      let numbers = [1, 1];
      let sentCount = 0;
      let nowMs = 0;
      const restart = () => {
        d.restart();
        publishers = NAMES.map(() => d.openPublisher());
        numbers = [1, 1];
        for (const [i, name] of NAMES.entries()) {
          // One that was moved has marks behind its body.
          const there = [...d.payloadSizes(name).keys()].map((body) => body.replace(/'+$/, "")).sort();
          expect(there).toEqual([...(live[i] as Set<string>)].sort());
        }
      };
      for (const each of steps) {
        if (each.kind === "publish") {
          const texts = each.sizes.map((size) => `${sentCount++}-`.padEnd(size, "x"));
          const { code } = d.publish(
            publishers[each.queue] as number,
            NAMES[each.queue] as string,
            frameOf(numbers[each.queue] as number, texts),
          );
          expect(code).toBe("done");
          numbers[each.queue] = (numbers[each.queue] as number) + texts.length;
          for (const text of texts) live[each.queue]?.add(text);
        } else if (each.kind === "receive") {
          const name = NAMES[each.queue] as string;
          const receipts = d.receive(name, 10, HELD_MS) as readonly string[]; // nothing refuses them
          for (const [i, receipt] of receipts.entries()) {
            if (((each.deletes >> i) & 1) === 0) continue;
            expect(d.delete(name, receipt)).toBe("ok");
            live[each.queue]?.delete(receipt.slice(0, receipt.lastIndexOf("#")).replace(/'+$/, ""));
          }
        } else if (each.kind === "move") {
          const before = new Set(d.payloadSizes("other").keys());
          d.move("main", "other", each.count);
          for (const marked of d.payloadSizes("other").keys()) {
            if (before.has(marked)) continue;
            const body = marked.replace(/'+$/, "");
            live[0].delete(body);
            live[1].add(body);
          }
        } else if (each.kind === "advance") {
          nowMs += 7;
          d.advanceTo(nowMs);
        } else if (each.kind === "index") indexedCount += d.index();
        else if (each.kind === "restart") restart();
        else if (d.reclaim(each.place)) reclaimedCount++;
      }
      restart();
    }),
    { numRuns: RUNS },
  );
  expect(indexedCount).toBeGreaterThan(RUNS);
  expect(reclaimedCount).toBeGreaterThan(RUNS / 2);
});
