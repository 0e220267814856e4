// Fair queues: on a standard queue a message group that takes more than its share waits while others have something.
import { expect, test } from "vitest";
import { CoreDriver, STANDARD } from "../support/core-driver.ts";
import { scenario, scenarioWithoutRestarts } from "../support/scenario.ts";
import { StreamDriver } from "../support/stream-driver.ts";

test("with 30 in flight and more than a tenth of them, a group waits until nobody else has a message", () => {
  scenario(`
    0s     send    A/a1..40            -> ok
    0s     send    B/b1                -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=9               -> a21..29#1
    0s     receive                     -> a30#1    // with 29 in flight it was nothing special
    0s     receive                     -> b1#1
    0s     receive max=10              -> a31..40#1
    0s     receive                     -> nothing
  `);
});

test("what comes later goes first, and fills a receive before the noisy group does", () => {
  scenario(`
    0s     send    A/a1..50            -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    1s     send    B/b1 c C/d1 B/b2    -> ok       // c has no group: it is a tenant by itself
    1s     receive max=10              -> b1#1 c#1 d1#1 b2#1 a31..36#1
    2s     send    A/a51 B/b3          -> ok
    2s     receive                     -> b3#1
    2s     receive max=10              -> a37..46#1
    2s     receive max=10              -> a47..51#1
  `);
});

test("a noisy group's messages keep their order, though some of them stand behind others'", () => {
  scenarioWithoutRestarts(`
    0s     send    A/a1..31            -> ok
    0s     send    B/b1 A/a32 B/b2 A/a33 -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    1s     receive                     -> b1#1     // that A is noisy is known from here on
    1s     send    A/a34               -> ok
    1s     receive max=10              -> b2#1 a31..34#1
  `);
});

test("messages without a group are never held back, however many", () => {
  scenario(`
    0s     send    a1..50 B/b1         -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    0s     receive max=10              -> a31..40#1
    0s     receive max=10              -> a41..50#1
    0s     receive                     -> b1#1
  `);
});

test("a tenth of what is in flight is not more than a tenth", () => {
  const driver = new CoreDriver([STANDARD]);
  const receiveTen = () => driver.receive("main", 10, undefined) as readonly string[];
  sendMany(driver, undefined, "x", 270);
  for (let i = 0; i < 27; i++) receiveTen();
  sendMany(driver, "A", "a", 40);
  sendMany(driver, "B", "b", 1);
  for (let i = 0; i < 3; i++) receiveTen();
  expect(driver.counts("main").inFlight).toBe(300);
  expect(driver.receive("main", 1, undefined)).toEqual(["a31#1"]); // 30 of 300
  expect(driver.receive("main", 1, undefined)).toEqual(["b1#1"]); // 31 of 301
});

test("of several noisy groups the one with the fewest in flight comes first", () => {
  scenarioWithoutRestarts(`
    0s     send    A/a1..60            -> ok
    0s     send    B/b1..60            -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    0s     receive max=10              -> b1..10#1
    0s     receive max=10              -> b11..20#1
    0s     receive max=10              -> b21..30#1
    1s     quiet                       -> 1 30 30 0 1s // nobody has come to another message of B since
    1s     receive max=4               -> a31#1 b31#1 a32#1 b32#1
    1s     quiet                       -> 2 0 0 0 -
    1s     delete  a1#1                -> ok
    1s     delete  a2#1                -> ok
    1s     receive max=4               -> a33#1 a34#1 a35#1 b33#1
  `);
});

test("the metrics leave noisy groups out", () => {
  scenarioWithoutRestarts(`
    0s     quiet                       -> 0 0 0 0 -
    0s     send    A/a1..40            -> ok
    0s     send    A/a41 delay=9s      -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    1s     send    b1 B/b2 B/b3        -> ok
    1s     send    B/b4 delay=9s       -> ok
    1s     receive                     -> b1#1
    2s     quiet                       -> 1 2 1 1 1s
    2s     count                       -> 12 31 2
    2s     receive max=10              -> b2#1 b3#1 a31..38#1
    2s     quiet                       -> 1 0 3 1 -
    2s     receive max=10              -> a39#1 a40#1
    2s     quiet                       -> 0 0 43 2 -  // A has nothing left that is visible
  `);
});

test("a group whose backlog is drained is a quiet one again, until it is judged the next time", () => {
  scenarioWithoutRestarts(`
    0s     send    A/a1..30            -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    1s     send    A/a31 B/b1          -> ok
    1s     receive                     -> b1#1
    1s     quiet                       -> 1 0 1 0 -
    1s     receive                     -> a31#1
    1s     quiet                       -> 0 0 32 0 -
    1s     send    A/a32 B/b2          -> ok
    1s     receive                     -> b2#1
  `);
});

test("a group that has sent nothing for five minutes is quiet, and in front with what it had", () => {
  scenarioWithoutRestarts(`
    0s     send    A/a1..35            -> ok
    0s     receive max=10 visibility=1h -> a1..10#1
    0s     receive max=10 visibility=1h -> a11..20#1
    0s     receive max=10 visibility=1h -> a21..30#1
    10s    send    B/b1                -> ok
    10s    receive visibility=1h       -> b1#1
    60s    send    A/a36               -> ok
    359s   send    B/b2                -> ok
    359.9s quiet                       -> 1 1 1 0 0.9s
    359.9s peek                        -> b2#0 a31..36#0
    360s   quiet                       -> 0 7 31 0 360s
    360s   peek                        -> a31..36#0 b2#0
    360s   receive max=2 visibility=1h -> a31#1 a32#1
    361s   send    A/a37               -> ok           // and begins again
    361s   receive max=2 visibility=1h -> b2#1 a33#1
    361s   receive max=9 visibility=1h -> a34..37#1
  `);
});

test("a tenth of consumers' time lately is too much as well, however few messages it is", () => {
  scenarioWithoutRestarts(`
    0s     send    A/a1 A/a2 A/a3      -> ok
    0s     receive visibility=5min     -> a1#1
    0s     send    B/b1 B/b2           -> ok
    9.9s   receive visibility=1s       -> a2#1         // less than ten seconds: too little to judge by
    10s    receive visibility=1s       -> b1#1
    10s    receive visibility=1s       -> b2#1
    10s    receive visibility=1s       -> a3#1
  `);
});

test("consumers' time is forgotten after a minute or two", () => {
  for (const [at, first] of [
    ["80s", "b1#1"], // two thirds of the minute before count, 13.3 s
    ["100s", "a2#1"], // one third, 6.7 s
  ]) {
    scenarioWithoutRestarts(`
      0s     send    A/a1 A/a2           -> ok
      0s     receive                     -> a1#1
      20s    delete  a1#1                -> ok
      ${at}  send    B/b1                -> ok
      ${at}  receive                     -> ${first}
    `);
  }
});

test("a message that is given back or timed out stands in front of its group", () => {
  scenarioWithoutRestarts(`
    0s     send    A/a1..40            -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    0s     receive                     -> a31#1
    1s     change  a5#1 visibility=0s  -> ok
    1s     send    B/b1                -> ok
    1s     receive max=3               -> b1#1 a5#2 a32#1
    2s     receive max=2 visibility=0s -> a33#1 a34#1
    2s     receive max=2               -> a33#2 a34#2
  `);
});

test("what a noisy group has is deleted, hidden and ended like everything else", () => {
  scenarioWithoutRestarts(`
    queue main retention=100s
    0s     send    A/a1..35            -> ok
    0s     receive visibility=0s       -> a1#1
    0s     receive max=10 visibility=50s -> a1#2 a2..10#1
    0s     receive max=10 visibility=50s -> a11..20#1
    0s     receive max=10 visibility=50s -> a21..30#1
    0s     receive visibility=0s       -> a31#1
    1s     quiet                       -> 1 0 0 0 -
    1s     delete  a31#1               -> ok
    1s     count                       -> 4 30 0
    50s    count                       -> 34 0 0
    51s    change  a2#1 visibility=10s -> ok
    51s    count                       -> 33 1 0
    51s    send    B/b1                -> ok
    51s    receive                     -> b1#1
    100s   count                       -> 1 0 0        // b1, back since 81 s
    100s   quiet                       -> 0 1 0 0 49s
  `);
});

test("however many groups are noisy, each message is handed out, once", () => {
  const GROUP_COUNT = 60;
  const driver = new CoreDriver([STANDARD]);
  const received: string[] = [];
  let noisyGroupCountMax = 0;
  const receive = (countMax: number): string[] => {
    const receipts = driver.receive("main", countMax, undefined) as string[];
    received.push(...receipts.map((receipt) => receipt.split("#")[0] as string));
    noisyGroupCountMax = Math.max(noisyGroupCountMax, driver.quietGroups("main").noisyGroupCount);
    return receipts;
  };
  const sent: string[] = [];
  for (let group = 0; group < GROUP_COUNT; group++) {
    const bodies = Array.from({ length: 35 }, (_, i) => `g${group}-${i}`);
    sent.push(...bodies);
    for (let i = 0; i < bodies.length; i += 5)
      driver.send(
        "main",
        bodies.slice(i, i + 5).map((body) => ({ body, groupId: `g${group}` })),
      );
    // Its thirty first, because it is a quiet one; the next receive finds out, and gets somebody's.
    const inFlight = [receive(10), receive(10), receive(10), receive(1)].flat();
    for (const receipt of inFlight) driver.delete("main", receipt);
  }
  expect(noisyGroupCountMax).toBeGreaterThan(32);
  while (receive(1).length > 0);
  expect(received.sort()).toEqual(sent.sort());
});

test("a dead-letter queue is fair to the same groups, a restart in between or not", () => {
  for (const restarts of [false, true]) {
    const dead = { ...STANDARD, name: "dead" };
    const driver = new CoreDriver([dead, { ...STANDARD, receiveMax: 1, deadLetters: "dead" }]);
    sendMany(driver, "A", "a", 40);
    for (let i = 0; i < 4; i++) driver.receive("main", 10, 5_000);
    driver.advanceTo(5_000);
    expect(driver.receive("main", 10, 5_000)).toEqual([]);
    expect(driver.counts("dead")).toEqual({ visible: 40, inFlight: 0, delayed: 0 });
    driver.send("dead", [{ body: "b1", groupId: "B" }]);
    if (restarts) driver.restart();
    for (let i = 0; i < 3; i++) expect(driver.receive("dead", 10, undefined)).toHaveLength(10);
    expect(driver.receive("dead", 1, undefined)).toEqual(["b1#1"]);
    expect(driver.receive("dead", 10, undefined)).toHaveLength(10);
  }
});

function sendMany(driver: CoreDriver, groupId: string | undefined, name: string, count: number): void {
  for (let i = 1; i <= count; i += 10) {
    const entries = Array.from({ length: Math.min(10, count + 1 - i) }, (_, k) => ({
      body: `${name}${i + k}`,
      groupId,
    }));
    driver.send("main", entries);
  }
}

const CONSUMER_COUNT = 50;
const WORK_MS = 100;

/** Fifty consumers with 100 ms of work for each message; A sends its backlog at once, B to D send one a second. */
class Crowd {
  readonly #driver = new CoreDriver([STANDARD]);
  readonly #sentMs = new Map<string, number>(); // body of B to D -> when
  #polls: number[] = [];
  readonly #work: { receipt: string; endMs: number }[] = []; // in the order in which it ends
  readonly dwellsMs: number[] = []; // of B to D
  receivedCount = 0;

  constructor(backlogCount: number) {
    sendMany(this.#driver, "A", "a", backlogCount);
  }

  #poll(): void {
    const token = this.#driver.poll("main", 1, undefined, 20_000);
    if (typeof token === "string") throw new Error("the limit of what is in flight is far away");
    this.#polls.push(token);
  }

  /** @returns whether the consumer waits on */
  #isWaiting(token: number): boolean {
    const answer = this.#driver.answer(token);
    if (answer === undefined) return true;
    const [receipt = ""] = answer.receipts;
    this.receivedCount++;
    this.#work.push({ receipt, endMs: answer.atMs + WORK_MS });
    const sentMs = this.#sentMs.get(receipt.split("#")[0] as string);
    if (sentMs !== undefined) this.dwellsMs.push(answer.atMs - sentMs);
    return false;
  }

  run(durationMs: number): void {
    for (let nowMs = 0; nowMs < durationMs; nowMs++) {
      this.#driver.advanceTo(nowMs);
      if (nowMs % 2 === 0 && nowMs < WORK_MS) this.#poll(); // they come one after the other
      for (const [i, groupId] of ["B", "C", "D"].entries()) {
        if (nowMs % 1000 !== (i + 1) * 217) continue;
        const body = `${groupId}${nowMs}`;
        this.#sentMs.set(body, nowMs);
        this.#driver.send("main", [{ body, groupId }]);
      }
      while ((this.#work[0]?.endMs ?? durationMs) <= nowMs) {
        this.#driver.delete("main", (this.#work.shift() as { receipt: string }).receipt);
        this.#poll();
      }
      this.#polls = this.#polls.filter((token) => this.#isWaiting(token));
    }
  }

  get visible(): number {
    return this.#driver.counts("main").visible;
  }

  get p95Ms(): number {
    const sorted = [...this.dwellsMs].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.95)] as number;
  }
}

test("three tenants that send one message a second wait no longer while a fourth has 10,000", () => {
  const alone = new Crowd(0);
  alone.run(18_000);
  const beside = new Crowd(10_000);
  beside.run(18_000);
  expect(alone.p95Ms).toBe(0);
  expect(beside.dwellsMs).toHaveLength(54);
  expect(beside.p95Ms).toBeLessThanOrEqual(2); // a consumer is free every 2 ms, and takes it
  // All that time the fourth had a backlog, and every consumer had work.
  expect(beside.visible).toBeGreaterThan(900);
  expect(beside.receivedCount).toBeGreaterThanOrEqual(CONSUMER_COUNT * 179);
});

test("what a subscription had counts as work to the moment it ends", () => {
  const d = new StreamDriver([STANDARD]);
  d.subscribe("s", { queue: "main" });
  d.send("main", [{ body: "a1", groupId: "A" }]);
  d.credit("s", 1);
  d.send("main", [
    { body: "a2", groupId: "A" },
    { body: "b1", groupId: "B" },
  ]);
  d.advanceTo(20_000);
  d.close("s");
  // Twenty seconds of everything that was done, and all of it A's.
  expect(d.receive("main", 1, 30_000)).toEqual(["b1#1"]);
});

test("what a subscription was given, and not sent when its connection went, counts as work to that moment", () => {
  const d = new StreamDriver([STANDARD]);
  d.subscribe("s", { queue: "main" });
  d.send("main", [
    { body: "a1", groupId: "A" },
    { body: "a2", groupId: "A" },
    { body: "b1", groupId: "B" },
  ]);
  // Given to it, and not composed; the core is told of no other instant until the connection has gone.
  d.streams.setCredit(d.cellOf("s"), 1, 1_000_000, 0, false);
  d.streams.serve(d.instantMs);
  expect(d.counts("main")).toMatchObject({ visible: 2, inFlight: 1 });
  d.streams.detach(d.cellOf("s"), d.instantMs + 20_000);
  expect(d.counts("main")).toMatchObject({ visible: 3, inFlight: 0 });
  d.advanceTo(20_000);
  expect(d.got("s")).toBe("");
  expect(d.receive("main", 1, 30_000)).toEqual(["b1#1"]);
});
