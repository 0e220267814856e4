// The file that touches the system's cache is as large as it is told, is told of, and goes.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { touch, touchSeconds, untouchedBytes } from "../../bench/peers/first-touch.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wasq-touch-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

test("it is told of at its end, and deleted", async () => {
  const path = join(directory, "touched");
  const told: number[] = [];
  await touch(path, 5_000_000, (gib) => told.push(gib * 2 ** 30));
  expect(told).toEqual([5_000_000]);
  expect(existsSync(path)).toBe(false);
});

test("a short run touches less than a full one may", () => {
  expect(untouchedBytes(directory, false)).toBeLessThanOrEqual(4 * 2 ** 30);
  expect(touchSeconds(4 * 2 ** 30)).toBeLessThan(20);
});
