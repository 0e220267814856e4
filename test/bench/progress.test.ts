// How long a run of bench:peers has left.
import { expect, test } from "vitest";
import { Progress } from "../../bench/peers/progress.ts";

function progress(expectedSeconds: number): { of: Progress; passes(seconds: number): void } {
  let now = 1_000;
  const of = new Progress(expectedSeconds, () => now);
  return {
    of,
    passes(seconds) {
      now += seconds;
    },
  };
}

test("is what was expected of the rest, until enough is known", () => {
  const { of, passes } = progress(600);
  expect(of.line("x")).toBe("    0 s, about 10 min left  x");
  passes(60);
  of.done(10);
  expect(of.leftSeconds).toBe(590);
});

test("is as much longer as it was so far", () => {
  const { of, passes } = progress(600);
  passes(150);
  of.done(100);
  expect(of.leftSeconds).toBe(750);
  passes(450);
  of.done(300);
  expect(of.leftSeconds).toBe(300);
  expect(of.line("x")).toBe("  600 s, about 5 min left  x");
});

test("is nothing at the end, and never less", () => {
  const { of, passes } = progress(60);
  passes(70);
  of.done(61);
  expect(of.line("x")).toBe("   70 s, about 0 s left  x");
});
