// What ends the wait of a long poll. Nobody waits through a restart, so these lines are played once.
import { test } from "vitest";
import { scenarioWithoutRestarts as scenario } from "../support/scenario.ts";

test("a message that is there is handed out without waiting", () => {
  scenario(`
    0s     send    a b                 -> ok
    0s     poll    p wait=20s max=10   -> a#1 b#1 at 0s
  `);
});

test("the wait ends empty", () => {
  scenario(`
    0s     poll    p wait=20s          -> waits
    19.9s  answer  p                   -> waits
    20s    answer  p                   -> nothing at 20s
    21s    send    a                   -> ok
    21s    receive                     -> a#1
  `);
});

test("a send ends it, and it does not wait for more", () => {
  scenario(`
    0s     poll    p wait=20s max=10   -> waits
    5s     send    a                   -> ok
    5s     answer  p                   -> a#1 at 5s
    6s     send    b                   -> ok
    7s     count                       -> 1 1 0
  `);
});

test("the end of a delay ends it", () => {
  scenario(`
    0s     send    a delay=7s          -> ok
    0s     poll    p wait=20s          -> waits
    20s    answer  p                   -> a#1 at 7s
  `);
});

test("the end of a visibility timeout ends it, and a change to 0", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=7s       -> a#1
    0s     poll    p wait=20s          -> waits
    8s     answer  p                   -> a#2 at 7s
    8s     poll    r wait=20s          -> waits
    9s     change  a#2 visibility=0s   -> ok
    9s     answer  r                   -> a#3 at 9s
  `);
});

test("FIFO: a delete that unblocks the group ends it", () => {
  scenario(`
    queue main fifo
    0s     send    a b                 -> ok
    0s     receive                     -> a#1
    0s     poll    p wait=20s          -> waits
    3s     delete  a#1                 -> ok
    3s     answer  p                   -> b#1 at 3s
  `);
});

test("a message that moves to the dead-letter queue ends the wait there", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    1s     poll    p wait=20s queue=dead -> waits
    6s     receive                     -> nothing
    6s     answer  p                   -> a#2 at 6s
  `);
});

test("who came first is served first, and who has gone takes nothing", () => {
  scenario(`
    0s     poll    p wait=20s          -> waits
    1s     poll    q wait=20s          -> waits
    2s     poll    r wait=20s          -> waits
    3s     cancel  p                   -> ok
    4s     send    a                   -> ok
    4s     answer  q                   -> a#1 at 4s
    4s     answer  p                   -> waits
    5s     send    b                   -> ok
    5s     answer  r                   -> b#1 at 5s
  `);
});
