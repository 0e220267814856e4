// Sequence numbers, and with them receipt handles, are given out once: also when the records that had them are gone.
import { expect, test } from "vitest";
import { CoreDriver, STANDARD } from "../support/core-driver.ts";

/** Ten messages and some changes of visibility fill a segment; the next one has no messages, only that these are gone. */
function deletedInNextSegment(): { driver: CoreDriver; highest: number } {
  const driver = new CoreDriver([{ ...STANDARD, fifo: true }]);
  const entry = (i: number) => ({ body: `m${i}`, groupId: "g", deduplicationId: `d${i}`, attributesBytes: 1_500 });
  const sent = driver.send(
    "main",
    Array.from({ length: 10 }, (_, i) => entry(i)),
  );
  const receipts = driver.receive("main", 10, 60_000);
  for (let i = 0; i < 200; i++) driver.changeVisibility("main", "m0#1", 60_000);
  for (const receipt of receipts) driver.delete("main", receipt);
  expect(driver.liveMessages).toBe(0);
  return { driver, highest: Math.max(...sent.map(({ sequence }) => sequence)) };
}

test("after the segment has its index", () => {
  const { driver, highest } = deletedInNextSegment();
  expect(driver.index()).toBeGreaterThan(0);
  driver.restart();
  const [again] = driver.send("main", [{ body: "next", groupId: "g", deduplicationId: "next" }]);
  expect(again?.sequence).toBeGreaterThan(highest);
});

test("after the segment has been given up", () => {
  const { driver, highest } = deletedInNextSegment();
  expect(driver.reclaim(0)).toBe(true);
  driver.restart();
  const [again] = driver.send("main", [{ body: "next", groupId: "g", deduplicationId: "next" }]);
  expect(again?.sequence).toBeGreaterThan(highest);
});
