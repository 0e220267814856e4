import { test } from "vitest";
import { scenario, scenarioWithoutRestarts } from "../support/scenario.ts";

test("a receive takes what it can of one group, then of the next", () => {
  scenario(`
    queue main fifo
    0s     send    x/x1 y/y1 x/x2 x/x3 -> ok
    0s     receive max=10              -> x1#1 x2#1 x3#1 y1#1
  `);
});

test("a message in flight holds back its group, and no other", () => {
  scenario(`
    queue main fifo
    0s     send    x/x1 x/x2           -> ok
    0s     receive                     -> x1#1
    0s     receive                     -> nothing
    1s     send    x/x3 y/y1           -> ok
    1s     count                       -> 3 1 0    // behind a locked group is visible
    1s     receive max=10              -> y1#1
    2s     delete  x1#1                -> ok
    2s     receive max=10              -> x2#1 x3#1
  `);
});

test("a group is free when all of its messages in flight are deleted, not before", () => {
  scenario(`
    queue main fifo
    0s     send    a b c               -> ok
    0s     receive max=2               -> a#1 b#1
    1s     delete  a#1                 -> ok
    1s     receive                     -> nothing
    2s     delete  b#1                 -> ok
    2s     receive                     -> c#1
  `);
});

test("what was deleted out of order leaves the rest in order", () => {
  scenario(`
    queue main fifo
    0s     send    a b c               -> ok
    0s     receive max=3               -> a#1 b#1 c#1
    1s     delete  b#1                 -> ok
    30s    receive max=10              -> a#2 c#2
  `);
});

test("after a timeout messages return in their order", () => {
  scenario(`
    queue main fifo
    0s     send    a b                 -> ok
    0s     receive max=2               -> a#1 b#1
    1s     send    c                   -> ok
    29.9s  receive                     -> nothing
    30s    receive max=10              -> a#2 b#2 c#1
  `);
});

test("of different deadlines a group offers what lies before the first that is hidden", () => {
  for (const [extended, offered] of [
    ["a", "nothing"],
    ["b", "a#2"],
    ["c", "a#2 b#2"],
  ]) {
    scenario(`
      queue main fifo
      0s     send    a b c                       -> ok
      0s     receive max=3                       -> a#1 b#1 c#1
      1s     change  ${extended}#1 visibility=60s -> ok
      30s    receive max=10                      -> ${offered}
    `);
  }
});

test("the first of two given back is receivable alone", () => {
  scenario(`
    queue main fifo
    0s     send    a b                 -> ok
    0s     receive max=2               -> a#1 b#1
    1s     change  a#1 visibility=0s   -> ok
    1s     send    c                   -> ok
    1s     receive max=10              -> a#2
    2s     delete  a#2                 -> ok
    2s     receive max=10              -> nothing
  `);
});

test("groups take turns", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     send    x/x1 x/x2 y/y1 z/z1 -> ok
    0s     receive                     -> x1#1
    0s     delete  x1#1                -> ok
    0s     receive                     -> y1#1
    0s     receive                     -> z1#1
    0s     receive                     -> x2#1
  `);
});

test("a group received with a visibility timeout of 0 goes behind the others", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     send    x/x1 y/y1           -> ok
    0s     receive visibility=0s       -> x1#1
    0s     receive visibility=0s       -> y1#1
    0s     receive visibility=0s       -> x1#2
  `);
});

test("a delayed message holds back its group", () => {
  scenario(`
    queue main fifo delay=10s
    0s     send    a                   -> ok
    5s     send    b                   -> ok
    9.9s   receive                     -> nothing
    10s    receive max=10              -> a#1
    11s    delete  a#1                 -> ok
    15s    receive max=10              -> b#1
  `);
});
