import { test } from "vitest";
import { scenario } from "../support/scenario.ts";

test("a deduplication ID counts for five minutes from the first send", () => {
  scenario(`
    queue main fifo
    0s       send  a id=x              -> ok
    200s     send  b id=x              -> duplicate
    299.999s send  c id=x              -> duplicate
    300s     send  d id=x              -> ok
    301s     send  e id=x              -> duplicate
    301s     receive max=10            -> a#1 d#1
  `);
});

test("it counts after the message was received and deleted", () => {
  scenario(`
    queue main fifo
    0s     send    a id=x              -> ok
    0s     receive                     -> a#1
    1s     delete  a#1                 -> ok
    2s     send    b id=x              -> duplicate
    2s     receive                     -> nothing
  `);
});

test("the scope is the queue, whatever the group", () => {
  scenario(`
    queue main fifo
    0s     send    g1/a id=x           -> ok
    0s     send    g2/b id=x           -> duplicate
  `);
});

test("the scope may be the group", () => {
  scenario(`
    queue main fifo scope=group
    0s     send    g1/a id=x           -> ok
    0s     send    g2/b id=x           -> ok
    0s     send    g1/c id=x           -> duplicate
  `);
});

test("two queues do not know of one another", () => {
  scenario(`
    queue other fifo
    queue main fifo
    0s     send    a id=x              -> ok
    0s     send    b id=x queue=other  -> ok
  `);
});

test("by content: the ID is the SHA-256 of the body in hex, and the same text given is a duplicate", () => {
  scenario(`
    queue main fifo
    0s     send    same content        -> ok
    0s     send    same content        -> duplicate
    0s     send    a id=0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5 -> duplicate
    0s     send    same id=y           -> ok
  `);
});

test("a duplicate inside a batch", () => {
  scenario(`
    queue main fifo
    0s     send    a b id=x            -> ok duplicate
    0s     receive max=10              -> a#1
  `);
});
