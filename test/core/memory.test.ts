// Memory that is used up refuses whole batches, loses nothing, and is over when messages are deleted.
import { expect, test } from "vitest";
import { CoreDriver, type QueueSpec, type SendEntry, STANDARD } from "../support/core-driver.ts";

function entriesOf({ fifo }: QueueSpec, from: number, count: number): SendEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const body = `m${from + i}`;
    return fifo ? { body, groupId: "g", deduplicationId: body } : { body };
  });
}

/** Sends until not one more message is taken. @returns how many are there */
function fill(driver: CoreDriver, spec: QueueSpec): number {
  let count = 0;
  for (const size of [10, 1]) while (driver.trySend("main", entriesOf(spec, count, size)) !== "full") count += size;
  return count;
}

/** Receives and deletes one message. */
function takeOne(driver: CoreDriver): void {
  const [receipt] = driver.receive("main", 1, 30_000) as string[];
  expect(driver.delete("main", receipt as string)).toBe("ok");
}

test.each<[string, QueueSpec, number]>([
  ["a standard queue", STANDARD, 6],
  ["a FIFO queue", { ...STANDARD, fifo: true }, 8],
])("%s: a batch for which there are too few free slots is refused whole, until there are enough", (_, spec, chunks) => {
  const driver = CoreDriver.small([spec], chunks);
  const count = fill(driver, spec);
  expect(count).toBeGreaterThan(5_000);
  expect(new CoreDriver([spec]).hasSendMemory).toBe(true);
  if (!spec.fifo) expect(driver.hasSendMemory).toBe(false); // a FIFO queue has run out of other cells than slots
  const batch = entriesOf(spec, count, 10);
  let freed = 0;
  while (driver.trySend("main", batch) === "full") {
    expect(driver.liveMessages).toBe(count - freed);
    expect(freed++).toBeLessThan(100);
    takeOne(driver);
    if (spec.fifo) driver.advanceTo(driver.nowMs + 301_000); // its deduplication is over, and gives its cell back
  }
  expect(freed).toBeGreaterThan(0);
  for (let more = 0; more < 10; more++) takeOne(driver);
  expect(driver.hasSendMemory).toBe(true);
  freed += 10;
  expect(driver.liveMessages).toBe(count - freed + 10);
  driver.restart();
  expect(driver.liveMessages).toBe(count - freed + 10);
  const seen = driver.peek("main", "visible", 1_000).flat();
  expect(seen.map((row) => row.split("#")[0])).toEqual([...Array(count + 10).keys()].slice(freed).map((i) => `m${i}`));
});
