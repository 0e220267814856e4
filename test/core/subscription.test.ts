// Subscriptions in virtual time. Deliveries read number:body#receive, 100 of them at most in a frame.
import { expect, test } from "vitest";
import { readReceiptHandle } from "../../src/broker/receipt-handle.ts";
import type { ReceivedHandle } from "../../src/core/core.ts";
import { STANDARD } from "../support/core-driver.ts";
import { rangesOf, StreamDriver } from "../support/stream-driver.ts";

function driver(queue: Partial<typeof STANDARD> = {}): StreamDriver {
  const dead = { ...STANDARD, name: "dead" };
  return new StreamDriver([dead, { ...STANDARD, ...queue }]);
}

function send(d: StreamDriver, text: string): void {
  for (const word of text.split(" ")) {
    const [body = "", groupId = "g"] = word.split("/").reverse();
    const { fifo } = d.spec("main");
    d.send("main", [{ body, groupId: fifo ? groupId : undefined, deduplicationId: fifo ? body : undefined }]);
  }
}

test("nothing is delivered without credit, and credit is set, not added", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  send(d, "a b c d e");
  expect(d.got("s")).toBe("");
  d.credit("s", 2);
  expect(d.got("s")).toBe("1:a#1 2:b#1");
  d.credit("s", 2);
  expect(d.got("s")).toBe("");
  d.credit("s", 2, { beyond: 1 });
  expect(d.got("s")).toBe("3:c#1");
  d.credit("s", 0, { beyond: 3 });
  d.credit("s", 1, { beyond: 3 });
  expect(d.got("s")).toBe("4:d#1");
  expect(d.credit("s", 10, { beyond: 5 })).toBe(false); // nothing has had that number
  expect(d.got("s")).toBe("");
});

test("a delivery needs credit in bytes as well; the last one may go beyond it", () => {
  const d = driver();
  const body = "x".repeat(1000);
  d.subscribe("s", { queue: "main" });
  d.credit("s", 100, { bytes: 2500 });
  for (let i = 0; i < 5; i++) d.send("main", [{ body }]);
  expect(d.last("s")).toBe(3);
  d.credit("s", 100, { bytes: 0, beyond: 3 });
  expect(d.last("s")).toBe(3);
  d.credit("s", 100, { bytes: 1, beyond: 3 });
  expect(d.last("s")).toBe(4);
  d.credit("s", 100, { bytes: 1020, beyond: 3 }); // the fourth has 1,006
  expect(d.last("s")).toBe(5);
});

test("automatic credit bounds what is out, and settling makes room, by whichever door", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  send(d, "a b c d e f");
  d.credit("s", 2, { auto: true });
  expect(d.got("s")).toBe("1:a#1 2:b#1");
  expect(d.settle("s", "ack", "1")).toBe("1");
  expect(d.got("s")).toBe("3:c#1");
  expect(d.settle("s", "nack", "2")).toBe("1");
  expect(d.got("s")).toBe("4:b#2"); // given back to the front
  expect(d.outstanding("s")).toBe("3-4");
});

test("so it does in bytes: nothing goes out while as many are out, however many messages there is credit for", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  for (let i = 0; i < 6; i++) d.send("main", [{ body: "x".repeat(1000) }]);
  d.credit("s", 100, { bytes: 2500, auto: true });
  expect(d.outstanding("s")).toBe("1-3"); // the third goes beyond it
  expect(d.settle("s", "ack", "1")).toBe("1");
  expect(d.outstanding("s")).toBe("2-4");
  expect(d.settle("s", "ack", "3-4")).toBe("2");
  expect(d.outstanding("s")).toBe("2 5-6");
  d.credit("s", 100, { bytes: 0, auto: true });
  d.send("main", [{ body: "y" }]);
  expect(d.settle("s", "ack", "2 5-6")).toBe("3");
  expect(d.outstanding("s")).toBe("");
});

test("a message stays out as long as the session lives, to the end of its processing time", () => {
  const d = driver();
  d.subscribe("s", { queue: "main", visibilityMs: 1_000, processingMs: 60_000 });
  d.credit("s", 1);
  send(d, "a");
  expect(d.got("s")).toBe("1:a#1");
  d.advanceTo(59_999);
  expect(d.receive("main", 1, 1_000)).toEqual([]);
  expect(d.counts("main")).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
  d.advanceTo(60_000);
  expect(d.got("s")).toBe("revoke 1 EXPIRED");
  expect(d.receive("main", 1, 1_000)).toEqual(["a#2"]);
  expect(d.settle("s", "ack", "1")).toBe("0, 1 NOT_YOURS");
});

test("of messages that go out together each comes to its own end: its processing time's, or its retention's", () => {
  const d = driver({ retentionMs: 60_000 });
  for (const [sentMs, body] of [
    [0, "a"],
    [10_000, "b"],
    [20_000, "c"],
    [28_000, "d"],
    [28_000, "e"],
  ] as const) {
    d.advanceTo(sentMs);
    send(d, body);
  }
  d.advanceTo(30_000);
  d.subscribe("s", { queue: "main", processingMs: 55_000 });
  d.credit("s", 5);
  expect(d.got("s")).toBe("1:a#1 2:b#1 3:c#1 4:d#1 5:e#1");
  const ends: string[] = [];
  for (let second = 31; second <= 90; second++) {
    d.advanceTo(second * 1000);
    const got = d.got("s");
    if (got !== "") ends.push(`${second} s: ${got}`);
  }
  expect(ends).toEqual([
    "60 s: revoke 1 EXPIRED",
    "70 s: revoke 2 EXPIRED",
    "80 s: revoke 3 EXPIRED",
    "85 s: revoke 4-5 EXPIRED",
  ]);
  expect(d.counts("main")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

test("a range of numbers is settled around those that are not out any more", () => {
  const d = driver({ inFlightMax: 6 });
  d.subscribe("s", { queue: "main" });
  send(d, "a b c d e f g h i");
  d.credit("s", 6, { auto: true });
  expect(d.got("s")).toBe("1:a#1 2:b#1 3:c#1 4:d#1 5:e#1 6:f#1");
  expect(d.settle("s", "ack", "3")).toBe("1");
  expect(d.got("s")).toBe("7:g#1");
  expect(d.settle("s", "ack", "2-5")).toBe("3, 3 NOT_YOURS");
  expect(d.got("s")).toBe("8:h#1 9:i#1");
  expect(d.outstanding("s")).toBe("1 6-9");
  expect(d.settle("s", "ack", "1-9")).toBe("5, 2 NOT_YOURS, 3 NOT_YOURS, 4 NOT_YOURS, 5 NOT_YOURS");
  expect(d.counts("main")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  send(d, "j");
  expect(d.got("s")).toBe("10:j#1");
});

test("touch sets another time, and no later than 12 hours after the delivery", () => {
  const d = driver();
  d.subscribe("s", { queue: "main", processingMs: 60_000 });
  d.credit("s", 10);
  send(d, "a b");
  d.got("s");
  d.advanceTo(50_000);
  expect(d.settle("s", "touch", "1", 30_000)).toBe("1");
  d.advanceTo(60_000);
  expect(d.got("s")).toBe("revoke 2 EXPIRED | 3:b#2");
  d.advanceTo(80_000);
  expect(d.got("s")).toBe("revoke 1 EXPIRED | 4:a#2");
  expect(d.settle("s", "touch", "3-4", 43_200_000)).toBe("1, 3 BEYOND_MAXIMUM");
});

test("a nack gives back, now or later", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 10);
  send(d, "a b");
  expect(d.got("s")).toBe("1:a#1 | 2:b#1");
  expect(d.settle("s", "nack", "1")).toBe("1");
  expect(d.got("s")).toBe("3:a#2");
  expect(d.settle("s", "nack", "2-3", 5_000)).toBe("2");
  expect(d.counts("main")).toEqual({ visible: 0, inFlight: 2, delayed: 0 });
  expect(d.outstanding("s")).toBe("");
  d.advanceTo(4_999);
  expect(d.got("s")).toBe("");
  d.advanceTo(5_000);
  expect(d.got("s").split(" ").sort()).toEqual(["4:a#3", "5:b#2"].sort());
});

test("what is out can be settled over HTTP, and the subscription is told", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 10);
  send(d, "a b");
  d.got("s");
  // The handle of the same receive: a poll that hands the message out again would have another.
  d.close("s");
  expect(d.receive("main", 2, 30_000)).toEqual(["a#2", "b#2"]);
  d.subscribe("t", { queue: "main" });
  d.credit("t", 10);
  expect(d.changeVisibility("main", "a#2", 0)).toBe("ok");
  expect(d.got("t")).toBe("1:a#3");
  expect(d.delete("main", "a#2")).toBe("ok"); // of an earlier receive: deletes nothing
  expect(d.outstanding("t")).toBe("1");
});

test("dead letters go at once, or with the receive count", () => {
  const d = driver({ receiveMax: 2, deadLetters: "dead" });
  d.subscribe("s", { queue: "main" });
  d.credit("s", 10);
  send(d, "a b");
  expect(d.settle("s", "deadLetter", "1")).toBe("1");
  expect(d.counts("dead").visible).toBe(1);
  d.settle("s", "nack", "2");
  d.settle("s", "nack", "3");
  expect(d.got("s")).toBe("1:a#1 | 2:b#1 | 3:b#2");
  expect(d.counts("main")).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  expect(d.receive("dead", 10, 1_000)).toEqual(["a#2", "b#3"]);
});

test("the numbers of an outcome are taken for what they are", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 3);
  send(d, "a b c d");
  expect(d.settle("s", "ack", "2")).toBe("1");
  expect(d.settle("s", "ack", "1-3 2 4 0")).toBe("2, 2 NOT_YOURS, 2 NOT_YOURS, 4 NEVER_DELIVERED, 0 NEVER_DELIVERED");
});

test("numbers that nothing is known of are judged as runs, wherever they lie", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 8);
  send(d, "a b c d e f g h");
  expect(d.settle("s", "ack", "1-3 5 7")).toBe("5"); // 4, 6 and 8 are out
  const { streams } = d;
  const runs = (...ranges: string[]) =>
    streams.settle(d.cellOf("s"), "touch", rangesOf(ranges.join(" ")), 60_000, d.instantMs);
  expect(runs("1-10000")).toEqual({
    count: 3,
    failures: [
      { first: 1, last: 3, code: 2 },
      { first: 5, last: 5, code: 2 },
      { first: 7, last: 7, code: 2 },
      { first: 9, last: 10_000, code: 1 },
    ],
  });
  expect(runs("1-2", "3", "0-1")).toEqual({
    count: 0,
    failures: [
      { first: 1, last: 3, code: 2 },
      { first: 0, last: 0, code: 1 },
      { first: 1, last: 1, code: 2 },
    ],
  });
  expect(runs("9007199254730992-9007199254740991")).toEqual({
    count: 0,
    failures: [{ first: 9_007_199_254_730_992, last: 9_007_199_254_740_991, code: 1 }],
  });
});

test("the end of a subscription gives everything back at once, the oldest in front", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 3);
  send(d, "a b c d");
  d.settle("s", "ack", "2");
  d.close("s");
  expect(d.receive("main", 10, 1_000)).toEqual(["a#2", "c#2", "d#1"]);
});

test("without its connection a subscription keeps what it has, and gets no more until it has credit again", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 2);
  send(d, "a b c");
  d.detach("s");
  d.credit("s", 10, { beyond: 2 });
  expect(d.got("s")).toBe("1:a#1 | 2:b#1");
  expect(d.outstanding("s")).toBe("1-2");
  d.resume("s");
  expect(d.got("s")).toBe("3:c#1");
  expect(d.settle("s", "ack", "1-3")).toBe("3");
});

test("a paused subscription gets nothing", () => {
  const d = driver();
  d.subscribe("s", { queue: "main" });
  d.credit("s", 10);
  d.pause("s");
  send(d, "a");
  expect(d.got("s")).toBe("");
  d.resume("s");
  expect(d.got("s")).toBe("1:a#1");
});

test("subscriptions and long polls are served in turn", () => {
  const d = driver();
  d.subscribe("s", { queue: "main", batch: 1 });
  d.subscribe("t", { queue: "main", batch: 1 });
  d.credit("s", 100);
  d.credit("t", 100);
  const poll = d.poll("main", 1, 30_000, 20_000) as number;
  send(d, "a b c d e");
  expect(d.got("s")).toBe("1:a#1 | 2:d#1");
  expect(d.got("t")).toBe("1:b#1 | 2:e#1");
  expect(d.answer(poll)).toEqual({ receipts: ["c#1"], atMs: 0 });
});

test("a frame has so many messages at most, and a frame that was not full is followed by the linger", () => {
  const d = driver();
  d.subscribe("s", { queue: "main", batch: 3, lingerMs: 100 });
  d.credit("s", 100);
  send(d, "a");
  expect(d.got("s")).toBe("1:a#1");
  send(d, "b c d e f g h");
  expect(d.got("s")).toBe("");
  d.advanceTo(99);
  expect(d.got("s")).toBe("");
  d.advanceTo(100);
  expect(d.got("s")).toBe("2:b#1 3:c#1 4:d#1 | 5:e#1 6:f#1 7:g#1 | 8:h#1");
});

test("after a restart messages that were out are visible when their visibility timeout is over", () => {
  const d = driver();
  d.subscribe("s", { queue: "main", visibilityMs: 10_000 });
  d.credit("s", 10);
  send(d, "a");
  d.advanceTo(5_000);
  d.restart();
  expect(d.receive("main", 1, 1_000)).toEqual([]);
  d.advanceTo(10_000);
  expect(d.receive("main", 1, 1_000)).toEqual(["a#2"]);
});

test("a number that is never settled holds up the subscription when the span is used up", () => {
  const d = driver({ inFlightMax: 1_000_000 });
  d.subscribe("s", { queue: "main", batch: 1000 });
  d.credit("s", 200_000);
  const span = 131_072;
  for (let sent = 0; sent < 131_090; sent += 10)
    d.send(
      "main",
      Array.from({ length: 10 }, () => ({ body: "x" })),
    );
  expect(d.last("s")).toBe(span);
  for (let first = 2; first <= span; first += 1000) d.settle("s", "ack", `${first}-${Math.min(first + 999, span)}`);
  expect(d.last("s")).toBe(span);
  expect(d.settle("s", "ack", "1")).toBe("1");
  expect(d.last("s")).toBe(131_090);
  expect(d.credit("s", 10, { beyond: 5 })).toBe(true); // long ago, and still no fault
});

test("a FIFO group belongs to one subscription at a time", () => {
  const d = driver({ fifo: true });
  d.subscribe("s", { queue: "main", batch: 1 });
  d.subscribe("t", { queue: "main", batch: 1 });
  d.credit("s", 100);
  d.credit("t", 100);
  send(d, "x/1 x/2 y/3 x/4");
  expect(d.got("s")).toBe("1:1#1");
  expect(d.got("t")).toBe("1:3#1");
  d.settle("s", "ack", "1");
  expect(`${d.got("s")},${d.got("t")}`).toMatch(/^(2:2#1,|,2:2#1)$/);
});

test("who holds a group goes on with it when there is room in flight again, whoever stands in front", () => {
  const d = driver({ fifo: true, inFlightMax: 2 });
  send(d, "other/a");
  expect(d.receive("main", 1, 30_000)).toEqual(["a#1"]);
  d.subscribe("t", { queue: "main", group: 10 });
  d.subscribe("s", { queue: "main" });
  d.credit("t", 10);
  d.credit("s", 10);
  send(d, "held/b");
  send(d, "held/c");
  expect(d.got("t")).toBe("1:b#1"); // now two are in flight, and s stands in front of t
  expect(d.delete("main", "a#1")).toBe("ok");
  expect([d.got("s"), d.got("t")]).toEqual(["", "2:c#1"]);
});

test("so many messages of a group go out in order, and more as they are settled", () => {
  const d = driver({ fifo: true });
  d.subscribe("s", { queue: "main", group: 3 });
  d.credit("s", 100);
  send(d, "x/1 x/2 x/3 x/4 x/5");
  expect(d.got("s")).toBe("1:1#1 | 2:2#1 | 3:3#1");
  d.settle("s", "ack", "2");
  expect(d.got("s")).toBe("4:4#1");
  d.settle("s", "ack", "1 3-4");
  expect(d.got("s")).toBe("5:5#1");
  send(d, "x/6");
  expect(d.got("s")).toBe("6:6#1");
});

test("when a message of a group fails, those behind it are called back and come again in order", () => {
  const d = driver({ fifo: true });
  d.subscribe("s", { queue: "main", group: 10, processingMs: 60_000 });
  d.credit("s", 100);
  send(d, "x/1 x/2 y/3 x/4 x/5");
  d.got("s");
  d.settle("s", "nack", "2");
  expect(d.got("s")).toBe("revoke 4-5 GROUP_FAILED | 6:2#2 7:4#2 8:5#2");
  d.settle("s", "nack", "1", 5_000); // for later: nobody gets the group until then
  expect(d.got("s")).toBe("revoke 6-8 GROUP_FAILED");
  expect(d.outstanding("s")).toBe("3");
  d.advanceTo(5_000);
  expect(d.got("s")).toBe("9:1#2 10:2#3 11:4#3 12:5#3");
  d.settle("s", "ack", "10-12");
  d.advanceTo(65_000);
  expect(d.got("s")).toBe("revoke 3 EXPIRED | 13:3#2 | revoke 9 EXPIRED | 14:1#3");
});

test("the end of a subscription gives its groups to others", () => {
  const d = driver({ fifo: true });
  d.subscribe("s", { queue: "main", group: 10 });
  d.subscribe("t", { queue: "main", group: 10 });
  d.credit("s", 100);
  send(d, "x/1 x/2");
  d.credit("t", 100);
  send(d, "x/3");
  expect(d.got("s")).toBe("1:1#1 | 2:2#1 | 3:3#1");
  expect(d.got("t")).toBe("");
  d.close("s");
  expect(d.got("t")).toBe("1:1#2 2:2#2 3:3#2");
});

test("messages that have left memory are loaded first", () => {
  const d = driver();
  d.subscribe("s", { queue: "main", batch: 10 });
  const body = (i: number) => `${i}-${"x".repeat(4000)}`;
  for (let i = 0; i < 1500; i++) d.send("main", [{ body: body(i) }]); // more than tail and cache hold
  let next = 0;
  d.onMessage = (_, number, message) => {
    expect(number).toBe(next + 1);
    expect(Buffer.from(message.body).toString()).toBe(body(next++));
  };
  d.credit("s", 2000);
  expect(next).toBe(1500);
});

test("who goes on with a group of its own stands in line for others", () => {
  const d = driver({ fifo: true });
  d.subscribe("s", { queue: "main", group: 2 });
  d.credit("s", 100);
  send(d, "x/1");
  expect(d.got("s")).toBe("1:1#1");
  const poll = d.poll("main", 1, 30_000, 20_000) as number;
  // One commit makes the group go on, and brings another.
  d.send("main", [
    { body: "2", groupId: "x", deduplicationId: "2" },
    { body: "3", groupId: "y", deduplicationId: "3" },
  ]);
  expect(d.answer(poll)).toEqual({ receipts: ["3#1"], atMs: 0 });
  expect(d.got("s")).toBe("2:2#1");
});

test("who lacks memory keeps nobody waiting, and goes on when there is some", () => {
  const d = new StreamDriver([STANDARD], StreamDriver.smallSizes(8));
  d.subscribe("s", { queue: "main" });
  d.send("main", [{ body: "a", delayMs: 1_000 }]);
  d.credit("s", 10);
  const poll = d.poll("main", 1, 30_000, 20_000) as number;
  const fillers: number[] = [];
  for (const bytes of [1_000_000, 100_000, 60_000]) {
    for (;;) {
      const filler = d.streams.openPublisher(undefined, false, "x".repeat(bytes));
      if (filler === 0) break;
      fillers.push(filler);
    }
  }
  d.advanceTo(1_000);
  expect(d.answer(poll)).toEqual({ receipts: ["a#1"], atMs: 1_000 });
  send(d, "b");
  d.advanceTo(2_500);
  expect(d.got("s")).toBe("");
  for (const filler of fillers) d.streams.closePublisher(filler);
  d.advanceTo(3_500);
  expect(d.got("s")).toBe("1:b#1");
});

test.each(["closes", "loses its connection", "fails the first of a group"])(
  "what comes back when a subscription %s is not hidden by a restart, whatever became of its segment",
  (end) => {
    const d = driver({ fifo: true });
    d.subscribe("s", { queue: "main", visibilityMs: 1_000, processingMs: 3_600_000, group: 10 });
    send(d, "a b");
    d.credit("s", 10);
    expect(d.got("s")).toBe("1:a#1 2:b#1");
    d.pause("s");
    if (end === "fails the first of a group") d.settle("s", "nack", "1");
    if (end === "loses its connection") d.detach("s");
    if (end !== "fails the first of a group") d.close("s");
    expect(d.counts("main")).toEqual({ visible: 2, inFlight: 0, delayed: 0 });
    for (let i = 0; i < 3; i++) d.send("dead", [{ body: `${i}`, attributesBytes: 20_000 }]);
    expect(d.reclaim(0)).toBe(true); // which writes them again
    d.restart();
    d.advanceTo(2_000);
    expect(d.receive("main", 10, 30_000)).toEqual(["a#2", "b#2"]);
  },
);

test.each(["stream", "HTTP"])(
  "a deadline set by %s is kept after a restart, whatever became of its segment",
  (door) => {
    const d = driver();
    send(d, "a");
    d.receive("main", 1, 0);
    d.subscribe("s", { queue: "main", visibilityMs: 10_000, fields: 4 });
    d.onMessage = (_, __, { receiptHandle }) => d.know("a#2", readReceiptHandle(2, receiptHandle) as ReceivedHandle);
    for (let i = 0; i < 40; i++) d.send("dead", [{ body: "x".repeat(1_000) }]);
    d.credit("s", 10);
    expect(d.got("s")).toBe("1:a#2");
    if (door === "stream") expect(d.settle("s", "touch", "1", 100_000)).toBe("1");
    else expect(d.changeVisibility("main", "a#2", 100_000)).toBe("ok");
    for (let i = 0; i < 40; i++) d.send("dead", [{ body: "x".repeat(1_000) }]);
    for (let i = 0; i < 8; i++) d.reclaim(1);
    d.restart();
    d.advanceTo(99_999);
    expect(d.receive("main", 1, 1_000)).toEqual([]);
    d.advanceTo(100_000);
    expect(d.receive("main", 1, 1_000)).toEqual(["a#3"]);
  },
);
