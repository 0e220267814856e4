// What a run may do to the core and the model alike: commands with random arguments, some more often than others.
import fc from "fast-check";
import type { Outcome } from "../../../src/core/streams.ts";
import type { SubscriptionSpec } from "../../support/model-subscription.ts";

export const NAMES = ["r", "s", "t"] as const;
export const PRODUCERS = 2;

// Deadlines that do not fall together with those of polls, so that what comes first is no question.
const spec: fc.Arbitrary<SubscriptionSpec> = fc.record({
  visibilityMs: fc.constantFrom(0, 1_013, 20_011),
  processingMs: fc.constantFrom(2_117, 20_333, 50_777),
  batch: fc.constantFrom(1, 2, 100),
  lingerMs: fc.constantFrom(0, 0, 0, 709),
  group: fc.constantFrom(1, 2, 100),
});
const name = fc.constantFrom(0, 0, 1, 1, 2); // of NAMES
const dead = fc.boolean();
const receipt = fc.nat(11); // counted back from the newest
const seconds = fc.constantFrom(0, 1, 2, 5, 20);

const COMMANDS = {
  send: {
    count: fc.integer({ min: 1, max: 3 }),
    group: fc.nat(2),
    id: fc.nat(30),
    delayS: fc.constantFrom(-1, 0, 1, 5),
  },
  publish: {
    producer: fc.nat(PRODUCERS - 1),
    back: fc.integer({ min: -1, max: 3 }),
    count: fc.integer({ min: 1, max: 4 }),
    group: fc.nat(2),
    id: fc.nat(30),
  },
  receive: { dead, count: fc.constantFrom(1, 2, 10), visibilityS: seconds },
  poll: { dead, count: fc.constantFrom(1, 10), visibilityS: fc.constantFrom(1, 5), waitS: fc.constantFrom(1, 20) },
  delete: { dead, receipt },
  change: { dead, receipt, visibilityS: fc.oneof(seconds, fc.constant(43_200)) },
  move: { dead },
  purge: { dead },
  recreate: { dead }, // deleted, and another of its name; that of dead letters only when it comes again
  fill: {
    place: fc.constantFrom(0, 0, 0, 1, 2, 4, 7, 11),
    marginBytes: fc.constantFrom(0, 8, 16, 40, 100, 400, 1_500),
  }, // where the tail is short
  subscribe: { name, dead: fc.constantFrom(false, false, false, true), spec },
  credit: {
    name,
    messages: fc.constantFrom(0, 1, 2, 5, 100, 100),
    bytes: fc.constantFrom(0, 1, 300, 700, 1_600, 5_000, 1_000_000, 1_000_000),
    back: fc.integer({ min: -1, max: 2 }), // from the newest number
    auto: fc.boolean(),
  },
  settle: {
    name,
    outcome: fc.constantFrom<Outcome>("ack", "ack", "ack", "nack", "touch", "deadLetter"),
    back: fc.integer({ min: -1, max: 6 }),
    count: fc.integer({ min: 1, max: 3 }),
    visibilityMs: fc.constantFrom(0, 0, 1_499, 30_001, 43_200_000),
  },
  cut: { name },
  comeBack: { name },
  close: { name },
  advance: { ms: fc.constantFrom(1, 999, 1000, 1001, 1001, 2117, 4000, 4000, 20_000, 61_000, 300_000) },
  index: {},
  reclaim: { place: fc.nat(7) },
  restart: {},
} as const;
const WEIGHTS: { readonly [Kind in keyof typeof COMMANDS]: number } = {
  send: 10,
  publish: 8,
  receive: 3,
  poll: 4,
  delete: 5,
  change: 4,
  move: 1,
  purge: 1,
  recreate: 2,
  fill: 3,
  subscribe: 10,
  credit: 14,
  settle: 16,
  cut: 6,
  comeBack: 14,
  close: 1,
  advance: 8,
  index: 2,
  reclaim: 2,
  restart: 1,
};

export type Command = {
  [Kind in keyof typeof COMMANDS]: { readonly kind: Kind } & {
    readonly [Field in keyof (typeof COMMANDS)[Kind]]: (typeof COMMANDS)[Kind][Field] extends fc.Arbitrary<infer Value>
      ? Value
      : never;
  };
}[keyof typeof COMMANDS];
export type Of<Kind extends Command["kind"]> = Extract<Command, { kind: Kind }>;

export const command = fc.oneof(
  ...Object.entries(COMMANDS).map(([kind, fields]) => ({
    weight: WEIGHTS[kind as keyof typeof WEIGHTS],
    arbitrary: fc.record({ kind: fc.constant(kind), ...fields }),
  })),
) as unknown as fc.Arbitrary<Command>;
