// What a move task does to a message. When and how many it moves, and where to, is in test/broker/moves.test.ts.
import { test } from "vitest";
import { scenario } from "../support/scenario.ts";

test("a moved message is a new one: its receives begin again, what was handed out before is worth nothing", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     source  from=dead           -> nothing
    0s     receive                     -> a#1
    5s     receive                     -> nothing
    5s     source  from=dead           -> main
    6s     move    from=dead to=main   -> 1
    6s     count   queue=dead          -> 0 0 0
    6s     count                       -> 1 0 0
    6s     delete  a#1                 -> ok       // the message of then, not this one
    6s     receive                     -> a'#1
    6s     change  a#1 visibility=0s   -> gone
    11s    receive                     -> nothing  // dead again
    11s    receive queue=dead          -> a'#2
    11s    delete  a'#2 queue=dead     -> ok
    11s    count   queue=dead          -> 0 0 0
  `);
});

test("a message can be moved again and again", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    5s     receive                     -> nothing
    5s     move    from=dead to=main   -> 1
    5s     receive                     -> a'#1
    10s    receive                     -> nothing
    10s    move    from=dead to=main   -> 1
    10s    receive                     -> a''#1
    10s    delete  a'#1                -> ok
    10s    count                       -> 0 1 0
    10s    delete  a''#1               -> ok
    10s    count                       -> 0 0 0
  `);
});

test("only what is visible is moved", () => {
  scenario(`
    queue dead visibility=10s
    queue main
    0s     send    a b c queue=dead           -> ok
    0s     send    d delay=5s queue=dead      -> ok
    0s     receive queue=dead                 -> a#1
    0s     move    from=dead to=main          -> 2
    0s     count   queue=dead                 -> 0 1 1
    0s     receive max=10                     -> b'#1 c'#1
    5s     move    from=dead to=main          -> 1
    9.9s   move    from=dead to=main          -> 0
    10s    move    from=dead to=main          -> 1
    10s    receive max=10                     -> d'#1 a'#1
  `);
});

test("a piece is the oldest messages", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a b c queue=dead           -> ok
    0s     move    from=dead to=main max=2    -> 2
    0s     receive max=10                     -> a'#1 b'#1
    0s     count   queue=dead                 -> 1 0 0
  `);
});

test("retention begins at the move", () => {
  scenario(`
    queue dead
    queue main retention=60s
    0s     send    a queue=dead               -> ok
    50s    move    from=dead to=main          -> 1
    109.9s count                              -> 1 0 0
    110s   count                              -> 0 0 0
  `);
});

test("the destination's delay counts, as for any message that is sent to it", () => {
  scenario(`
    queue dead
    queue main delay=5s
    0s     send    a queue=dead               -> ok
    10s    move    from=dead to=main          -> 1
    10s    count                              -> 0 0 1
    14.9s  receive                            -> nothing
    15s    receive                            -> a'#1
  `);
});

test("whoever waits at the destination gets it at once", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a queue=dead               -> ok
    0s     poll    p wait=20s                 -> waits
    2s     move    from=dead to=main          -> 1
    2s     answer  p                          -> a'#1 at 2s
  `);
});

test("FIFO: groups and their order are kept, behind what is there already", () => {
  scenario(`
    queue dead fifo
    queue main fifo
    0s     send    g1/a g2/x g1/b queue=dead  -> ok
    0s     send    g1/z                       -> ok
    0s     move    from=dead to=main          -> 3
    0s     receive                            -> z#1
    0s     receive max=10                     -> x'#1   // g1 is locked
    1s     delete  z#1                        -> ok
    1s     receive max=10                     -> a'#1 b'#1
  `);
});

test("FIFO: behind a message in flight nothing is visible", () => {
  scenario(`
    queue dead fifo visibility=10s
    queue main fifo
    0s     send    g1/a g1/b g2/x queue=dead  -> ok
    0s     receive queue=dead                 -> a#1
    0s     move    from=dead to=main          -> 1
    0s     receive max=10                     -> x'#1
    10s    move    from=dead to=main          -> 2
    10s    receive max=10                     -> a'#1 b'#1
  `);
});

test("FIFO: a moved message is never taken for a duplicate, and what was sent before still is", () => {
  scenario(`
    queue dead fifo
    queue main fifo max=1 dead=dead visibility=5s
    0s     send    a id=x                     -> ok
    0s     receive                            -> a#1
    5s     receive                            -> nothing
    5s     move    from=dead to=main          -> 1
    5s     send    b id=x                     -> duplicate
    5s     receive                            -> a'#1
    299.9s send    b id=x                     -> duplicate
    300s   send    b id=x                     -> ok
  `);
});

test("FIFO: the destination's delay counts", () => {
  scenario(`
    queue dead fifo
    queue main fifo delay=5s
    0s     send    a b queue=dead             -> ok
    1s     move    from=dead to=main          -> 2
    1s     count                              -> 0 0 2
    6s     receive max=10                     -> a'#1 b'#1
  `);
});
