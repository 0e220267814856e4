import { test } from "vitest";
import { scenario } from "../support/scenario.ts";

test("maxReceiveCount 1: handed out once, moved at the next receive", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    5s     count                       -> 1 0 0    // nobody asked yet
    5s     receive                     -> nothing
    5s     count                       -> 0 0 0
    5s     count   queue=dead          -> 1 0 0
    5s     receive queue=dead          -> a#2      // the count goes on
    5s     delete  a#1                 -> ok       // the source's handle is worth nothing now
    5s     count   queue=dead          -> 0 1 0
    6s     delete  a#2 queue=dead      -> ok
    60s    count   queue=dead          -> 0 0 0
  `);
});

test("maxReceiveCount 2: handed out twice", () => {
  scenario(`
    queue dead
    queue main max=2 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    5s     receive                     -> a#2
    10s    receive                     -> nothing
    10s    receive queue=dead          -> a#3
  `);
});

test("the receive goes on with other messages", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    4s     send    b                   -> ok
    5s     receive max=10              -> b#1
    5s     count   queue=dead          -> 1 0 0
  `);
});

test("a message may still be deleted between its last timeout and its move", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    6s     delete  a#1                 -> ok
    6s     receive                     -> nothing
    6s     count   queue=dead          -> 0 0 0
  `);
});

test("a dead-letter queue has a policy of its own", () => {
  scenario(`
    queue last
    queue dead max=2 dead=last visibility=5s
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    5s     receive                     -> nothing
    5s     receive queue=dead          -> a#2
    10s    receive queue=dead          -> nothing
    10s    receive queue=last          -> a#3
  `);
});

test("standard: a moved message keeps its age", () => {
  scenario(`
    queue dead retention=4min
    queue main max=1 dead=dead visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    60s    receive                     -> nothing
    239s   count   queue=dead          -> 1 0 0
    240s   count   queue=dead          -> 0 0 0
  `);
});

test("FIFO: a moved message starts a new age, in its group, and unblocks the one it left", () => {
  scenario(`
    queue dead fifo retention=4min
    queue main fifo max=1 dead=dead visibility=5s
    0s     send    a b                 -> ok
    0s     receive                     -> a#1
    5s     receive                     -> b#1
    10s    receive                     -> nothing
    10s    receive max=10 queue=dead   -> a#2 b#2
    244s   count   queue=dead          -> 2 0 0
    245s   count   queue=dead          -> 1 0 0
    250s   count   queue=dead          -> 0 0 0
  `);
});

test("FIFO: a move is never taken for a duplicate", () => {
  scenario(`
    queue dead fifo
    queue main fifo max=1 dead=dead visibility=5s
    0s     send    a id=x queue=dead   -> ok
    0s     send    b id=x              -> ok
    0s     receive                     -> b#1
    5s     receive                     -> nothing
    5s     receive max=10 queue=dead   -> a#1 b#2
  `);
});
