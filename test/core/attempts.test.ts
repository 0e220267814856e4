// ReceiveRequestAttemptId: a client that lost the answer asks again and gets it.
import { test } from "vitest";
import { scenario, scenarioWithoutRestarts } from "../support/scenario.ts";

test("a retry gets the same messages with the same receipts, and its own visibility timeout", () => {
  scenario(`
    queue main fifo
    0s     send    a b c               -> ok
    0s     receive max=2 try=x         -> a#1 b#1
    20s    receive max=2 try=x         -> a#1 b#1  // received once, not twice
    40s    receive max=10              -> nothing  // the first timeout would have ended at 30 s
    41s    delete  a#1                 -> ok       // either answer's receipt is good
    49.9s  receive max=10              -> nothing
    50s    receive max=10              -> b#2 c#1
  `);
});

test("a retry may be repeated, for five minutes from the first receive", () => {
  scenario(`
    queue main fifo visibility=100s
    0s       send  a                   -> ok
    0s       receive try=x             -> a#1
    99s      receive try=x             -> a#1
    198s     receive try=x             -> a#1
    297s     receive try=x             -> a#1
    300s     receive try=x             -> nothing  // a new receive: its group is locked
    397s     receive try=x             -> a#2      // nothing was not kept
    398s     receive try=x             -> a#2
  `);
});

test("without the ID, or with another, it is another receive", () => {
  scenario(`
    queue main fifo
    0s     send    g1/a g2/b g3/c      -> ok
    0s     receive try=x               -> a#1
    0s     receive try=y               -> b#1
    0s     receive                     -> c#1
    1s     receive try=x               -> a#1
    1s     receive try=y               -> b#1
    1s     receive                     -> nothing
  `);
});

test("what returned nothing is not kept", () => {
  scenario(`
    queue main fifo
    0s     receive try=x               -> nothing
    1s     send    a                   -> ok
    1s     receive try=x               -> a#1
  `);
});

test("an ID belongs to its queue", () => {
  scenario(`
    queue other fifo
    queue main fifo
    0s     send    a                   -> ok
    0s     send    b queue=other       -> ok
    0s     receive try=x               -> a#1
    0s     receive try=x queue=other   -> b#1
    1s     receive try=x               -> a#1
  `);
});

test("no retry after one of the messages was deleted", () => {
  scenario(`
    queue main fifo
    0s     send    a b                 -> ok
    0s     receive max=2 try=x         -> a#1 b#1
    1s     delete  b#1                 -> ok
    1s     receive max=2 try=x         -> notRetryable
    2s     delete  a#1                 -> ok
    3s     send    c                   -> ok
    299.9s receive try=x               -> notRetryable
    300s   receive try=x               -> c#1      // a new receive
  `);
});

test("no retry after the visibility of one was changed", () => {
  scenario(`
    queue main fifo
    0s     send    a b                 -> ok
    0s     receive max=2 try=x         -> a#1 b#1
    1s     change  b#1 visibility=60s  -> ok
    1s     receive max=2 try=x         -> notRetryable
  `);
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive try=x               -> a#1
    1s     change  a#1 visibility=0s   -> ok
    1s     receive try=x               -> notRetryable
    1s     receive try=y               -> a#2
  `);
});

test("no retry after the timeout, be the message visible or another's", () => {
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive try=x               -> a#1
    30s    receive try=x               -> notRetryable
    30s    receive                     -> a#2
    31s    receive try=x               -> notRetryable
  `);
});

test("no retry after a visibility timeout of 0", () => {
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive try=x visibility=0s -> a#1
    0s     receive try=x               -> notRetryable
  `);
});

test("a retry with a visibility timeout of 0 gives its messages back", () => {
  scenario(`
    queue main fifo
    0s     send    a b                 -> ok
    0s     receive max=2 try=x         -> a#1 b#1
    1s     receive max=2 try=x visibility=0s -> a#1 b#1
    1s     receive max=2 try=x         -> notRetryable
    1s     receive max=2               -> a#2 b#2
  `);
});

test("no retry after retention has ended one of them", () => {
  scenario(`
    queue main fifo retention=60s
    0s     send    a                   -> ok
    30s    send    b                   -> ok
    31s    receive max=2 try=x visibility=5min -> a#1 b#1
    59s    receive max=2 try=x visibility=5min -> a#1 b#1
    60s    receive max=2 try=x         -> notRetryable
  `);
});

test("a retry counts its 12 hours from itself", () => {
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive try=x visibility=12h -> a#1
    60s    receive try=x visibility=12h -> a#1
    60s    change  a#1 visibility=12h  -> ok
  `);
});

test("a retry never moves a message to the dead letters", () => {
  scenario(`
    queue dead fifo
    queue main fifo max=1 dead=dead
    0s     send    a                   -> ok
    0s     receive try=x               -> a#1
    1s     receive try=x               -> a#1
    31s    receive                     -> nothing
    31s    receive queue=dead          -> a#2
  `);
});

test("ten messages of one attempt", () => {
  scenario(`
    queue main fifo
    0s     send    a b c d e           -> ok
    0s     send    f g h i j k         -> ok
    0s     receive max=10 try=x        -> a#1 b#1 c#1 d#1 e#1 f#1 g#1 h#1 i#1 j#1
    1s     receive max=10 try=x        -> a#1 b#1 c#1 d#1 e#1 f#1 g#1 h#1 i#1 j#1
    2s     change  j#1 visibility=31s  -> ok
    2s     receive max=10 try=x        -> notRetryable
  `);
});

test("what a long poll was given is given again", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     poll    p try=x             -> waits
    5s     send    a                   -> ok
    5s     answer  p                   -> a#1 at 5s
    6s     poll    q try=x             -> a#1 at 6s
    7s     receive try=x               -> a#1
    37s    receive                     -> a#2
  `);
});

test("who asks again has given up the wait before", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     poll    p try=x             -> waits
    1s     poll    q                   -> waits
    2s     poll    r try=x             -> waits
    2s     answer  p                   -> nothing at 2s
    3s     send    g1/a                -> ok
    3s     answer  q                   -> a#1 at 3s
    4s     send    g2/b                -> ok
    4s     answer  r                   -> b#1 at 4s
    5s     receive try=x               -> b#1
  `);
  scenarioWithoutRestarts(`
    queue main fifo
    0s     poll    p try=x             -> waits
    1s     receive try=x               -> nothing
    1s     answer  p                   -> nothing at 1s
  `);
});
