// Which writes the event loop makes itself, by their sizes and by what they have taken.
import { expect, test } from "vitest";
import { PromptWrites } from "../../src/log/prompt-writes.ts";

/** So many small writes on a disk that takes `ms` for each. @returns which of them were made at once, by their numbers */
function small(writes: PromptWrites, count: number, ms: number): number[] {
  const prompt: number[] = [];
  for (let i = 0; i < count; i++) {
    if (!writes.admits(4096)) continue;
    prompt.push(i);
    writes.took(ms);
  }
  return prompt;
}

test("on a quick disk all small writes are made at once", () => {
  expect(small(new PromptWrites(), 1_000, 0.15)).toHaveLength(1_000);
});

test("on a slow disk one is tried now and then, later and later", () => {
  const tried = small(new PromptWrites(), 20_000, 10);
  expect(tried.slice(0, 4)).toEqual([0, 17, 50, 115]);
  expect(tried.length).toBeLessThan(16);
  expect((tried.at(-1) as number) - (tried.at(-2) as number)).toBe(4_097);
});

test("a disk that was slow for a while is trusted again, and what it was is forgotten", () => {
  const writes = new PromptWrites();
  small(writes, 2_000, 10);
  expect(small(writes, 5_000, 0.15).length).toBeGreaterThan(2_000);
  expect(small(writes, 40, 10).slice(0, 2)).toEqual([0, 17]); // the first pause is a short one again
});

test("a single write that takes long is a short pause, not an end", () => {
  const writes = new PromptWrites();
  small(writes, 500, 0.15);
  small(writes, 1, 100);
  expect(small(writes, 100, 0.15)).toHaveLength(100 - 16);
});

test("a large write is for the thread pool, and so is a small one among large ones", () => {
  const writes = new PromptWrites();
  expect(writes.admits(300_000)).toBe(false);
  expect(writes.admits(4_096)).toBe(true);
  for (let i = 0; i < 20; i++) expect(writes.admits(300_000)).toBe(false);
  expect(writes.admits(4_096)).toBe(false);
  expect(small(writes, 40, 0.15).length).toBeGreaterThan(20);
});

test("nothing is made at once beside what is under way", () => {
  const writes = new PromptWrites();
  writes.began();
  expect(writes.admits(4_096)).toBe(false);
  writes.ended();
  expect(writes.admits(4_096)).toBe(true);
});
