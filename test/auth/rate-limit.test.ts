// Requests a second, in virtual time; and requests at once.
import fc from "fast-check";
import { expect, test } from "vitest";
import { AtOnce } from "../../src/auth/at-once.ts";
import { RateLimit } from "../../src/auth/rate-limit.ts";

test("a second's worth at once, and then one after the other", () => {
  const rate = new RateLimit(10);
  const taken = (nowMs: number, count: number) => Array.from({ length: count }, () => rate.take("alice", nowMs));
  expect(taken(5_000, 11)).toEqual([...Array<boolean>(10).fill(true), false]);
  expect(taken(5_099, 1)).toEqual([false]);
  expect(taken(5_100, 2)).toEqual([true, false]);
  expect(taken(5_600, 6)).toEqual([...Array<boolean>(5).fill(true), false]);
  expect(taken(60_000, 11).filter(Boolean)).toHaveLength(10);
  expect(rate.take("bob", 60_000)).toBe(true); // each his own
});

test("never more in any span than its seconds and one more allow, whatever the rhythm", () => {
  const gaps = fc.array(fc.nat(400), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 50 }), (all, perSecond) => {
      const rate = new RateLimit(perSecond);
      let nowMs = 1_000;
      let taken = 0;
      for (const gapMs of all) {
        nowMs += gapMs;
        for (let i = 0; i < 20; i++) if (rate.take("alice", nowMs)) taken++;
        expect(taken).toBeLessThanOrEqual(Math.floor((perSecond * (nowMs - 1_000)) / 1000 + perSecond + 1e-3));
      }
    }),
    { numRuns: 200 },
  );
});

test("as many at once as he may; one that ends makes room, one that was refused takes none", () => {
  const atOnce = new AtOnce(2);
  expect([1, 2, 3, 4].map(() => atOnce.enter("alice"))).toEqual([true, true, false, false]);
  expect(atOnce.enter("bob")).toBe(true);
  atOnce.leave("alice");
  expect([1, 2].map(() => atOnce.enter("alice"))).toEqual([true, false]);
  atOnce.leave("alice");
  atOnce.leave("alice");
  expect([1, 2, 3].map(() => atOnce.enter("alice"))).toEqual([true, true, false]);
});
