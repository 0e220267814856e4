// FIFO over random deliveries: a group is with one subscription at a time, at most so many of it are out, and nothing is
// delivered before what stands in front of it has been settled or is out in the same place. What a client cannot know
// is not asked of the core: the test knows only what was delivered, called back and settled.
import { expect, test } from "vitest";
import { assert } from "../../src/base/assert.ts";
import { STANDARD } from "../support/core-driver.ts";
import { StreamDriver } from "../support/stream-driver.ts";

/** A large number for a long run. */
const DELIVERIES = Number(process.env["WASQ_STREAM_DELIVERIES"] ?? 20_000);
const SEED = Number(process.env["WASQ_STREAM_SEED"] ?? 1);
const GROUPS = ["a", "b", "c", "d", "e"];
const NAMES = ["p", "q", "r"];
const PER_GROUP = [1, 3, 10];
/** Messages of a group that are not settled: more would make the model slow, and nothing else. */
const OPEN_MAX = 40;

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Out {
  readonly group: string;
  readonly place: number;
}

class Model {
  /** Places of messages of a group that are not settled, ascending. */
  readonly open = new Map<string, number[]>(GROUPS.map((group) => [group, []]));
  readonly out = new Map<string, Map<number, Out>>(NAMES.map((name) => [name, new Map()]));
  deliveredCount = 0;

  /** Where the group's messages are out: subscription and places. */
  holders(group: string): Map<string, number[]> {
    const holders = new Map<string, number[]>();
    for (const [name, out] of this.out) {
      const places = [...out.values()].filter((each) => each.group === group).map(({ place }) => place);
      if (places.length > 0) holders.set(name, places);
    }
    return holders;
  }

  delivered(name: string, number: number, body: string): void {
    const [group = "", text] = body.split(":");
    const place = Number(text);
    const before = this.holders(group);
    assert(before.size === 0 || (before.size === 1 && before.has(name)), `${body} is with one subscription`);
    const places = before.get(name) ?? [];
    assert(places.length < (PER_GROUP[NAMES.indexOf(name)] as number), `not too many of group ${group} are out`);
    const open = this.open.get(group) as number[];
    const inFront = open.slice(0, open.indexOf(place));
    assert(open.includes(place), `${body} has not been settled`);
    assert(
      inFront.every((each) => places.includes(each)),
      `what is in front of ${body} is out with it`,
    );
    (this.out.get(name) as Map<number, Out>).set(number, { group, place });
    this.deliveredCount++;
  }

  settled(name: string, number: number): void {
    const out = this.out.get(name)?.get(number);
    assert(out !== undefined, "what is settled was out");
    this.out.get(name)?.delete(number);
    const open = this.open.get(out.group) as number[];
    open.splice(open.indexOf(out.place), 1);
  }
}

test(`${DELIVERIES} deliveries, seed ${SEED}`, () => {
  const pick = random(SEED);
  const d = new StreamDriver([{ ...STANDARD, fifo: true }]);
  const model = new Model();
  d.onMessage = (name, number, message) => model.delivered(name, number, Buffer.from(message.body).toString());
  d.onRevoke = (name, number) => model.out.get(name)?.delete(number);
  const places = new Map(GROUPS.map((group) => [group, 0]));
  const subscribe = (name: string) => {
    const group = PER_GROUP[NAMES.indexOf(name)] as number;
    d.subscribe(name, { queue: "main", group, batch: 1 + pick(8), processingMs: 60_000 });
  };
  for (const name of NAMES) subscribe(name);

  const actions: readonly (() => void)[] = [
    () => {
      const group = GROUPS[pick(GROUPS.length)] as string;
      if ((model.open.get(group) as number[]).length >= OPEN_MAX) return;
      const entries = Array.from({ length: 1 + pick(5) }, () => {
        const place = (places.get(group) as number) + 1;
        places.set(group, place);
        (model.open.get(group) as number[]).push(place);
        return { body: `${group}:${place}`, groupId: group, deduplicationId: `${group}${place}` };
      });
      d.send("main", entries);
    },
    () => {
      const name = NAMES[pick(NAMES.length)] as string;
      d.credit(name, pick(20), { beyond: d.last(name), auto: pick(4) === 0 });
    },
    ...Array.from({ length: 4 }, () => () => {
      const name = NAMES[pick(NAMES.length)] as string;
      const out = [...(model.out.get(name) as Map<number, Out>).keys()];
      const number = out[pick(out.length)];
      if (number === undefined) return;
      if (pick(4) > 0) {
        // Before the answer: a later message may come with it.
        model.settled(name, number);
        expect(d.settle(name, "ack", `${number}`)).toBe("1");
      } else {
        model.out.get(name)?.delete(number);
        expect(d.settle(name, "nack", `${number}`, pick(3) === 0 ? 1_000 : 0)).toBe("1");
      }
    }),
    () => {
      if (pick(20) > 0) return;
      const name = NAMES[pick(NAMES.length)] as string;
      model.out.get(name)?.clear();
      d.close(name);
      subscribe(name);
    },
    () => {
      if (pick(10) === 0) d.advanceTo(d.nowMs + pick(30_000));
    },
  ];
  while (model.deliveredCount < DELIVERIES) (actions[pick(actions.length)] as () => void)();

  // Whatever is left comes, in order, and then nothing is.
  for (const name of NAMES) d.credit(name, 100_000, { auto: true });
  for (let round = 0; [...model.open.values()].some((open) => open.length > 0); round++) {
    assert(round < 100_000, "the queue comes to its end");
    for (const name of NAMES) {
      for (const number of [...(model.out.get(name) as Map<number, Out>).keys()]) {
        model.settled(name, number);
        d.settle(name, "ack", `${number}`);
      }
    }
    d.advanceTo(d.nowMs + 1_000);
  }
  expect(d.counts("main")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});
