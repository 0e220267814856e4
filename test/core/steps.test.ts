// What an operation costs does not depend on how much is queued: counted in steps of the core, not in time.
import { expect, test } from "vitest";
import { CountedCore } from "../support/counted-core.ts";

/** Chains of the hash tables differ by a step or two. */
const TOLERANCE = 1.02;

/** Steps of a hundred times sending one message and receiving and deleting one. */
function stepsOfRounds(core: CountedCore, groupOf: (i: number) => string | undefined): number {
  return core.steps(() => {
    for (let i = 0; i < 100; i++) {
      core.send(1, () => groupOf(i));
      expect(core.receive(1, true)).toBe(1);
    }
  });
}

test("FIFO: a million messages in a group that is held back cost other groups nothing", () => {
  const steps = [100, 1_000_000].map((count) => {
    const core = new CountedCore(true);
    core.send(count, () => "held");
    core.receive(1, false);
    return stepsOfRounds(core, (i) => `g${i % 10}`);
  }) as [number, number];
  expect(steps[1]).toBeLessThanOrEqual(steps[0] * TOLERANCE);
}, 120_000);

test("FIFO: a failure in a group whose messages are pushed costs the same with ten thousand behind them", () => {
  const steps = [100, 10_000].map((count) => {
    const core = new CountedCore(true);
    core.send(count, () => "g");
    core.subscribe(3);
    return core.steps(() => {
      for (let i = 0; i < 100; i++) core.nack(2);
    });
  }) as [number, number];
  expect(steps[1]).toBeLessThanOrEqual(steps[0] * TOLERANCE);
});

test("FIFO: neither do a hundred thousand groups", () => {
  const steps = [100, 100_000].map((count) => {
    const core = new CountedCore(true);
    core.send(count, (i) => `g${i}`);
    return stepsOfRounds(core, (i) => `g${i}`);
  }) as [number, number];
  expect(steps[1]).toBeLessThanOrEqual(steps[0] * TOLERANCE);
});

test("standard: a backlog costs nothing, with groups and without", () => {
  for (const groupOf of [
    () => undefined,
    (i: number) => `g${i % 100}`,
    (i: number) => (i % 2 === 0 ? "g" : undefined),
  ]) {
    const steps = [1000, 100_000].map((count) => {
      const core = new CountedCore(false);
      core.send(count, groupOf);
      return stepsOfRounds(core, groupOf);
    }) as [number, number];
    expect(steps[1]).toBeLessThanOrEqual(steps[0] * TOLERANCE);
  }
});

test("fair: neither do more tenants, nor what a noisy one has", () => {
  const steps = [
    [100, 1000],
    [50_000, 1000],
    [100, 100_000],
  ].map(([tenantCount, backlogCount]) => {
    const core = new CountedCore(false);
    core.send(backlogCount as number, () => "noisy");
    core.send(tenantCount as number, (i) => `g${i}`);
    // Noisy from the thirtieth on; then the first of the others is only reached when the backlog has been set aside.
    while (core.noisyGroupCount === 0 || core.quietVisible === tenantCount) core.receive(1, false);
    return stepsOfRounds(core, (i) => `g${i}`);
  }) as [number, number, number];
  expect(steps[1]).toBeLessThanOrEqual(steps[0] * TOLERANCE);
  expect(steps[2]).toBeLessThanOrEqual(steps[0] * TOLERANCE);
});

test("fair: a backlog that has become noisy is set aside in pieces, and none is larger for a larger backlog", () => {
  const longest = [5000, 50_000].map((count) => {
    const core = new CountedCore(false);
    core.send(count, () => "noisy");
    core.send(1, () => "quiet");
    let receives = 0;
    let steps = 0;
    for (; core.quietVisible !== 0 || core.noisyGroupCount === 0; receives++) {
      steps = Math.max(
        steps,
        core.steps(() => core.receive(1, false)),
      );
    }
    expect(receives).toBeLessThanOrEqual(30 + count / 1000); // so soon the quiet one is reached
    return steps;
  }) as [number, number];
  expect(longest[1]).toBeLessThanOrEqual(longest[0] * TOLERANCE);
});
