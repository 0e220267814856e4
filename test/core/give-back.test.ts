// A receive whose messages could not be had after all, because a key is not there: it does not count.
import { test } from "vitest";
import { scenario, scenarioWithoutRestarts } from "../support/scenario.ts";

test("what is given back is in its old place, received by nobody", () => {
  scenario(`
    0s     send    a b c               -> ok
    0s     receive max=2               -> a#1 b#1
    1s     back    a#1 b#1             -> ok
    1s     count                       -> 3 0 0
    1s     peek                        -> a#0 b#0 c#0
    2s     receive max=10              -> a#1 b#1 c#1
    31.9s  receive max=10              -> nothing
    32s    receive max=10              -> a#2 b#2 c#2
  `);
});

test("it brings nobody nearer to the dead letters", () => {
  scenario(`
    queue dead
    queue main max=2 dead=dead
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    30s    receive                     -> a#2
    31s    back    a#2                 -> ok
    31s    receive                     -> a#2
    32s    back    a#2                 -> ok
    32s    receive                     -> a#2
    62s    receive                     -> nothing
    62s    receive queue=dead          -> a#3
  `);
});

test("who waits gets it at once", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     poll    p wait=20s          -> a#1 at 0s
    0s     poll    q wait=20s          -> waits
    1s     back    a#1                 -> ok
    1s     answer  q                   -> a#1 at 1s
  `);
});

test("what somebody else has received meanwhile stays his", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=1s       -> a#1
    1s     receive                     -> a#2
    2s     back    a#1                 -> ok
    2s     count                       -> 0 1 0
    31s    receive                     -> a#3
  `);
});

test("a timeout that has passed, or was none, takes nothing from it", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=0s       -> a#1
    0s     back    a#1                 -> ok
    1s     receive visibility=1s       -> a#1
    5s     back    a#1                 -> ok
    5s     receive                     -> a#1
  `);
});

test("a FIFO queue's group goes on with its first message", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     send    g1/a g1/b g2/c      -> ok
    0s     receive max=2               -> a#1 b#1
    1s     back    a#1 b#1             -> ok
    1s     receive                     -> c#1      // behind the groups that had their turn to come
    1s     receive max=2               -> a#1 b#1
  `);
});

test("a retry with its attempt ID is a receive like any other", () => {
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive try=x               -> a#1
    1s     back    a#1 try=x           -> ok
    2s     receive try=x               -> a#1
    3s     receive try=x               -> a#1
  `);
});

test("what a retry has been handed is the retry's", () => {
  scenarioWithoutRestarts(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive try=x               -> a#1
    1s     receive try=x               -> a#1
    2s     back    a#1 try=x           -> ok
    2s     receive                     -> nothing
    2s     receive try=x               -> a#1
  `);
});
