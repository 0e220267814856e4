// Delay, retention, and the limit of what is in flight.
import { test } from "vitest";
import { scenario, scenarioWithoutRestarts } from "../support/scenario.ts";

test("a delayed message is visible when its delay ends", () => {
  scenario(`
    0s     send    a delay=10s         -> ok
    0s     count                       -> 0 0 1
    9.999s receive                     -> nothing
    10s    count                       -> 1 0 0
    10s    receive                     -> a#1
  `);
});

test("the message's delay goes before the queue's, 0 as well", () => {
  scenario(`
    queue main delay=10s
    0s     send    a                   -> ok
    0s     send    b delay=0s          -> ok
    0s     receive max=10              -> b#1
    0s     send    c delay=20s         -> ok
    10s    receive max=10              -> a#1
    20s    receive max=10              -> c#1
  `);
});

test("standard: another queue delay is for what is sent from now on", () => {
  scenario(`
    queue main delay=10s
    0s     send    a                   -> ok
    1s     set     delay=60s           -> ok
    10s    receive                     -> a#1
  `);
});

test("FIFO: another queue delay is for what is delayed already", () => {
  scenario(`
    queue main fifo delay=10s
    0s     send    a                   -> ok
    1s     set     delay=60s           -> ok
    59.9s  receive                     -> nothing
    60s    receive                     -> a#1
  `);
});

test("FIFO: the queue's delay, even if the message says 0", () => {
  scenario(`
    queue main fifo delay=10s
    0s     send    a delay=0s          -> ok
    0s     receive                     -> nothing
    10s    receive                     -> a#1
  `);
});

test("a message ends with its retention, wherever it is", () => {
  scenario(`
    queue main retention=60s
    0s     send    a b                 -> ok
    0s     send    c delay=100s        -> ok
    0s     receive visibility=100s     -> a#1
    59.9s  count                       -> 1 1 1
    60s    count                       -> 0 0 0
    60s    receive max=10              -> nothing
    100s   receive max=10              -> nothing
  `);
});

test("a shorter retention ends what is older at once", () => {
  scenario(`
    queue main retention=1h
    0s     send    a                   -> ok
    100s   send    b                   -> ok
    100s   set     retention=60s       -> ok
    100s   count                       -> 1 0 0
    100s   receive                     -> b#1
  `);
});

test("a longer retention keeps what is still there", () => {
  scenario(`
    queue main retention=60s
    0s     send    a                   -> ok
    30s    set     retention=2min      -> ok
    119s   receive                     -> a#1
    120s   count                       -> 0 0 0
  `);
});

test("FIFO: a message that ends unblocks its group", () => {
  scenario(`
    queue main fifo retention=60s
    0s     send    a                   -> ok
    30s    send    b                   -> ok
    30s    receive visibility=1h       -> a#1
    59.9s  receive                     -> nothing
    60s    receive                     -> b#1
  `);
});

test("standard: at the limit of messages in flight a short poll is refused and a long poll waits", () => {
  scenario(`
    queue main inflight=2
    0s     send    a b c               -> ok
    0s     receive max=10              -> a#1 b#1
    0s     receive                     -> overLimit
    1s     poll    p wait=5s           -> waits
    2s     delete  a#1                 -> ok
    6s     answer  p                   -> c#1 at 2s
  `);
});

test("FIFO: at the limit nothing is handed out, without an error", () => {
  scenario(`
    queue main fifo inflight=2
    0s     send    x/a y/b z/c         -> ok
    0s     receive max=10              -> a#1 b#1
    0s     receive                     -> nothing
    1s     delete  a#1                 -> ok
    1s     receive                     -> c#1
  `);
});

test("FIFO: at the limit a long poll waits, and a retry is answered: it puts nothing more in flight", () => {
  scenarioWithoutRestarts(`
    queue main fifo inflight=2
    0s     send    x/a y/b z/c         -> ok
    0s     receive max=10 try=t        -> a#1 b#1
    0s     poll    p wait=20s          -> waits
    1s     receive max=10 try=t        -> a#1 b#1
    1s     receive                     -> nothing
    2s     delete  a#1                 -> ok
    2s     answer  p                   -> c#1 at 2s
    3s     receive max=10 try=t        -> notRetryable
  `);
});

test("FIFO: an empty answer at the limit is not kept for a retry", () => {
  scenario(`
    queue main fifo inflight=1
    0s     send    x/a y/b             -> ok
    0s     receive                     -> a#1
    0s     receive try=t               -> nothing
    1s     delete  a#1                 -> ok
    1s     receive try=t               -> b#1
  `);
});

test("fair: the limit is the queue's, whoever has what is in flight", () => {
  scenario(`
    queue main inflight=33
    0s     send    A/a1..40            -> ok
    0s     receive max=10              -> a1..10#1
    0s     receive max=10              -> a11..20#1
    0s     receive max=10              -> a21..30#1
    0s     receive max=2               -> a31..32#1
    1s     send    B/b1 B/b2           -> ok
    1s     receive max=10              -> b1#1
    1s     receive max=10              -> overLimit
    2s     delete  a1#1                -> ok
    2s     receive max=10              -> b2#1
    3s     delete  a2#1                -> ok
    3s     receive max=10              -> a33#1
  `);
});
