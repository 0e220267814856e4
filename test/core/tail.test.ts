// The log's newest bytes in memory: what is read there is what went to disk, up to the far end of them.
import { expect, test } from "vitest";
import { CoreDriver, SEGMENT_BYTES, STANDARD } from "../support/core-driver.ts";

const TAIL_BYTES = 4 * 1024 * 1024;
const BODY = "b".repeat(700);

test.each<[string, (driver: CoreDriver, receipts: string[]) => void]>([
  ["a receive, whose record is shorter than it might have been", (driver) => driver.receive("main", 1, 30_000)],
  ["deletes of fewer messages than were asked for", (driver, receipts) => driver.delete("main", receipts[0] as string)],
  [
    "a deadline, of which there might have been a thousand",
    (driver) => {
      driver.receive("main", 1, 10);
      driver.advanceTo(driver.nowMs + 20);
    },
  ],
])("%s: nothing that is still in memory is touched", (_, step) => {
  const driver = new CoreDriver([STANDARD]);
  driver.send("main", [{ body: BODY }]);
  const receipts = driver.receive("main", 1, 600_000) as string[];
  driver.delete("main", receipts[0] as string);
  // Once around, so that the far end is where the next records begin.
  for (let sentBytes = 0; sentBytes < TAIL_BYTES + 100_000; sentBytes += 8_000) {
    driver.send(
      "main",
      Array.from({ length: 10 }, () => ({ body: BODY })),
    );
  }
  for (let i = 0; i < 40; i++) {
    step(driver, receipts);
    expect(driver.damagedInMemory()).toEqual([]);
    // Records of many lengths: their beginnings come to lie everywhere.
    driver.send("main", [{ body: BODY.slice(0, 8 + ((i * 24) % 600)) }]);
  }
});

test("a block is not ended where there is no room for it on disk", () => {
  const driver = new CoreDriver([STANDARD]);
  driver.send("main", [{ body: BODY }]);
  const { before, after } = driver.endBlock(4096, 100);
  expect(after).toBe(before);
  expect(driver.endBlock(4096, 8192)).toEqual({ before, after: 4096 * Math.ceil(before / 4096) });
});

test("a block is ended with nothing, or the next one, where no record is as short; never beyond the segment", () => {
  const BLOCK_BYTES = 512;
  const HEADER_BYTES = 24;
  const driver = new CoreDriver([STANDARD]);
  const met = new Map<string, number>();
  let sentCount = 0;
  for (let i = 0; i < 400; i++) {
    driver.send("main", [{ body: BODY.slice(0, 1 + ((i * 8) % 600)) }]);
    sentCount++;
    const { before, after } = driver.endBlock(BLOCK_BYTES);
    const restBytes = -before & (BLOCK_BYTES - 1);
    const wantedBytes = restBytes > 0 && restBytes < HEADER_BYTES ? restBytes + BLOCK_BYTES : restBytes;
    const isShort = before + wantedBytes + HEADER_BYTES > SEGMENT_BYTES;
    expect(after - before).toBe(isShort ? 0 : wantedBytes);
    const kind = isShort ? "short" : restBytes === 0 ? "whole" : restBytes === wantedBytes ? "block" : "next";
    met.set(kind, (met.get(kind) ?? 0) + 1);
    if (i % 50 === 0) driver.restart();
  }
  expect([...met.keys()].sort()).toEqual(["block", "next", "short", "whole"]);
  expect(driver.counts("main")).toEqual({ visible: sentCount, inFlight: 0, delayed: 0 });
  expect(driver.damagedInMemory()).toEqual([]);
});
