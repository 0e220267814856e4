// What a figure is of several rounds.
import { describe, expect, test } from "vitest";
import { medians, type Row } from "../../bench/peers/results.ts";
import { median, quantile } from "../../bench/support.ts";

describe("the median", () => {
  test.each([
    [[7], 7],
    [[3, 1, 2], 2],
    [[1, 9], 5],
    [[40, 10, 30, 20], 25],
    [[10, 9, 100], 10], // by value, not as text
  ])("of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  test("of nothing is no number", () => {
    expect(median([])).toBeNaN();
  });

  test("leaves the values as they were", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

test.each([
  [0, 0],
  [0.5, 50],
  [0.99, 99],
  [0.995, 99.5],
  [1, 100],
])("the quantile %d of 0 to 100 is %d", (share, expected) => {
  expect(
    quantile(
      Array.from({ length: 101 }, (_, i) => i),
      share,
    ),
  ).toBeCloseTo(expected, 10);
});

describe("of the rounds of a measurement", () => {
  const row = (round: number, figures: Record<string, number>, failure?: string): Row => ({
    case: "publish",
    shape: "256 B",
    peer: "wasq",
    round,
    figures,
    ...(failure === undefined ? {} : { failure }),
  });

  test("each figure has its own median, and two rounds have their mean", () => {
    const rows = [row(1, { perSecond: 100, p99: 8 }), row(2, { perSecond: 300, p99: 2 })];
    expect(medians(rows)).toEqual({ perSecond: 200, p99: 5 });
  });

  test("a round that failed, and a figure that is not there, count for nothing", () => {
    const rows = [
      row(1, { perSecond: 100, p99: Number.NaN }),
      row(2, {}, "it ended"),
      row(3, { perSecond: 200, p99: 4 }),
    ];
    expect(medians(rows)).toEqual({ perSecond: 150, p99: 4 });
  });

  test("there are none when all of them failed", () => {
    expect(medians([row(1, {}, "it ended")])).toBeUndefined();
  });
});
