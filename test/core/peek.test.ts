// Looking at a queue's messages changes nothing, and shows each of them once.
import { expect, test } from "vitest";
import { CoreDriver, STANDARD } from "../support/core-driver.ts";
import { scenario, scenarioWithoutRestarts } from "../support/scenario.ts";

test("what can be received is shown in its order, and can be received afterwards as if nobody had looked", () => {
  scenario(`
    0s     send    a b c               -> ok
    0s     peek                        -> a#0 b#0 c#0
    0s     peek                        -> a#0 b#0 c#0
    0s     count                       -> 3 0 0
    0s     receive                     -> a#1
    0s     peek                        -> b#0 c#0
    0s     peek    held                -> a#1
    30s    peek                        -> a#1 b#0 c#0
    30s    receive max=10              -> a#2 b#1 c#1
  `);
});

test("what is delayed is shown when it is asked for, until it is visible", () => {
  // A restart lets what is delayed come back in the order of sending.
  scenarioWithoutRestarts(`
    0s     send    a delay=5s          -> ok
    0s     send    b                   -> ok
    0s     peek                        -> b#0
    0s     peek    delayed             -> a#0
    0s     peek    held                -> nothing
    5s     peek                        -> b#0 a#0
    5s     peek    delayed             -> nothing
  `);
});

test("pages follow one another without gap or overlap", () => {
  scenario(`
    0s     send    a b c d e           -> ok
    0s     peek    max=2               -> a#0 b#0 | c#0 d#0 | e#0
    0s     peek    max=5               -> a#0 b#0 c#0 d#0 e#0
    0s     receive max=3               -> a#1 b#1 c#1
    0s     peek    held max=1          -> a#1 | b#1 | c#1
  `);
});

test("nothing is shown of what was deleted, is over, or belongs to another queue", () => {
  scenario(`
    queue other
    queue main retention=60s
    0s     send    x queue=other       -> ok
    0s     send    a b                 -> ok
    1s     receive max=1               -> a#1
    1s     delete  a#1                 -> ok
    1s     peek                        -> b#0
    1s     peek    held                -> nothing
    60s    peek                        -> nothing
    60s    peek    queue=other         -> x#0
  `);
});

test("FIFO: a group is shown while it can be received from; behind a message in flight it is held", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     send    x/x1 x/x2 y/y1 y/y2 -> ok
    0s     peek                        -> x1#0 x2#0 y1#0 y2#0
    0s     receive max=1               -> x1#1
    0s     peek                        -> y1#0 y2#0
    0s     peek    held                -> x1#1 x2#0@visible
    0s     peek    max=1               -> y1#0 | y2#0
    30s    peek    max=3               -> y1#0 y2#0 x1#1 | x2#0
  `);
});

test("a dead letter is shown where it is now, with its receives", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead
    0s     send    a                   -> ok
    0s     receive visibility=1s       -> a#1
    1s     receive                     -> nothing
    1s     peek                        -> nothing
    1s     peek    queue=dead          -> a#1
  `);
});

test("a page ends with its bytes, but has one message at least", () => {
  const driver = new CoreDriver([STANDARD]);
  driver.send("main", [{ body: "a".repeat(3000) }, { body: "b".repeat(3000) }, { body: "c".repeat(100) }]);
  const countsOf = (bytesMax: number) => driver.peekPages("main", 1000, bytesMax).map((page) => page.length);
  expect(countsOf(1)).toEqual([1, 1, 1]);
  expect(countsOf(4000)).toEqual([1, 2]);
  expect(countsOf(1_000_000)).toEqual([3]);
});

test("a place to go on from is lost when its message is received, deleted or sent elsewhere", () => {
  const driver = new CoreDriver([STANDARD]);
  driver.send(
    "main",
    ["a", "b", "c"].map((body) => ({ body })),
  );
  const place = driver.peekFrom("main", undefined, 1)?.next;
  expect(driver.peekFrom("main", place, 1)?.rows).toHaveLength(1);
  driver.receive("main", 2, 0);
  expect(driver.peekFrom("main", place, 1)?.rows).toHaveLength(1); // given back at once: b is where it was
  driver.receive("main", 2, 30_000);
  expect(driver.peekFrom("main", place, 1)).toBeUndefined();
  driver.delete("main", "b#2");
  expect(driver.peekFrom("main", place, 1)).toBeUndefined();
  for (const nonsense of [
    { slot: 0xffff_ffff, generation: 1 },
    { slot: 1 << 27, generation: 1 },
    { slot: 3, generation: 77 },
  ]) {
    expect(driver.peekFrom("main", nonsense, 1)).toBeUndefined();
  }
});

test("a queue with more hidden messages than one call looks at is walked in several", () => {
  const driver = new CoreDriver([{ ...STANDARD, name: "other" }, STANDARD]);
  const many = Array.from({ length: 10 }, (_, i) => ({ body: `o${i}` }));
  for (let i = 0; i < 7_000; i++) driver.send("other", many);
  driver.send("main", [{ body: "last", delayMs: 1000 }]);
  expect(driver.peek("main", "delayed", 10)).toEqual([["last#0@delayed"]]);
  expect(driver.peek("other", "held", 10)).toEqual([]);
});
