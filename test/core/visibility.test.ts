import { test } from "vitest";
import { scenario } from "../support/scenario.ts";

test("a message that is not deleted returns when its visibility timeout ends", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=30s      -> a#1
    29.9s  receive                     -> nothing
    30s    receive visibility=30s      -> a#2      // the boundary itself is visible
    31s    delete  a#1                 -> ok       // stale handle: accepted, deletes nothing
    60s    receive                     -> a#3
    61s    delete  a#3                 -> ok
    99s    receive                     -> nothing
    99s    count                       -> 0 0 0
  `);
});

test("a receive without a timeout of its own has the queue's", () => {
  scenario(`
    queue main visibility=5s
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    4.999s receive                     -> nothing
    5s     receive                     -> a#2
  `);
});

test("a visibility timeout of 0 hands the message out and leaves it visible", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=0s       -> a#1
    0s     count                       -> 1 0 0
    0s     receive visibility=0s       -> a#2
    0s     delete  a#1                 -> ok
    0s     receive visibility=10s      -> a#3
    1s     delete  a#3                 -> ok
    20s    receive                     -> nothing
  `);
});

test("a change counts from the call, and only for this receive", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    20s    change  a#1 visibility=60s  -> ok
    79.9s  receive                     -> nothing
    80s    receive                     -> a#2
    109.9s receive                     -> nothing
    110s   receive                     -> a#3
  `);
});

test("a change may shorten the timeout, and 0 gives the message back", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    1s     change  a#1 visibility=2s   -> ok
    2.9s   receive                     -> nothing
    3s     receive                     -> a#2
    4s     change  a#2 visibility=0s   -> ok
    4s     receive                     -> a#3
  `);
});

test("12 hours from the receive are the most, however often it is changed", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    0s     change  a#1 visibility=12h  -> ok
    1s     change  a#1 visibility=12h  -> beyondMaximum
    1s     change  a#1 visibility=43199s -> ok
    6h     change  a#1 visibility=6h   -> ok
    6h     change  a#1 visibility=21600.001s -> beyondMaximum
    12h    receive                     -> a#2
    13h    change  a#2 visibility=11h  -> ok       // a new receive, a new 12 hours
  `);
});

test("standard: the last handle hides a message that had become visible again", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=5s       -> a#1
    6s     count                       -> 1 0 0
    6s     change  a#1 visibility=10s  -> ok
    6s     count                       -> 0 1 0
    15.9s  receive                     -> nothing
    16s    receive                     -> a#2
  `);
});

test("standard: an older handle can still change the visibility", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=5s       -> a#1
    6s     receive visibility=60s      -> a#2
    7s     change  a#1 visibility=0s   -> ok
    7s     receive                     -> a#3
  `);
});

test("standard: what each handle may still do", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive visibility=5s       -> a#1
    6s     delete  a#1                 -> ok       // timed out and not received again: deletes
    6s     count                       -> 0 0 0
    6s     delete  a#1                 -> ok       // any number of times
    6s     change  a#1 visibility=5s   -> gone
  `);
  scenario(`
    queue main retention=60s
    0s     send    a                   -> ok
    0s     receive visibility=5s       -> a#1
    60s    delete  a#1                 -> ok       // ended by retention
    60s    change  a#1 visibility=5s   -> gone
  `);
});

test("FIFO: a handle is good for as long as the message is hidden", () => {
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive visibility=5s       -> a#1
    5s     delete  a#1                 -> expired
    5s     change  a#1 visibility=5s   -> gone
    5s     receive visibility=5s       -> a#2
    6s     delete  a#1                 -> expired  // another receiver's now
    6s     change  a#1 visibility=5s   -> gone
    6s     change  a#2 visibility=10s  -> ok
    15.9s  delete  a#2                 -> ok       // within the longer timeout
    15.9s  delete  a#2                 -> ok
    15.9s  change  a#2 visibility=5s   -> gone
    15.9s  count                       -> 0 0 0
  `);
});

test("FIFO: a visibility timeout of 0 ends the handle at once", () => {
  scenario(`
    queue main fifo
    0s     send    a                   -> ok
    0s     receive visibility=0s       -> a#1
    0s     delete  a#1                 -> expired
    0s     receive                     -> a#2
  `);
});

test("a message finds nothing in its slot of what became of the one before it", () => {
  scenario(`
    0s     send    g1/a delay=5s       -> ok
    5s     receive visibility=0s       -> a#1
    5s     receive visibility=60s      -> a#2
    6s     delete  a#2                 -> ok
    6s     send    b                   -> ok
    6s     receive visibility=0s       -> b#1
    6s     receive visibility=60s      -> b#2
    7s     delete  b#2                 -> ok
    7s     restart
    7s     send    c                   -> ok
    7s     quiet                       -> 0 1 0 0 0s
    7s     receive                     -> c#1
    36s    receive                     -> nothing
    37s    receive                     -> c#2
  `);
});

test("a slot that another message has now is safe from an old handle", () => {
  scenario(`
    0s     send    a                   -> ok
    0s     receive                     -> a#1
    0s     delete  a#1                 -> ok
    0s     send    b                   -> ok
    0s     receive                     -> b#1
    0s     delete  a#1                 -> ok
    0s     change  a#1 visibility=0s   -> gone
    0s     count                       -> 0 1 0
  `);
});
