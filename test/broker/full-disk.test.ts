// A disk without space: sends are refused, deletes and receives go on, and it is over when there is room again.
import { afterEach, expect, test, vi } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, receive, remove, SMALL_SEGMENT_BYTES, send } from "../support/open-broker.ts";

let opened: OpenedBroker;

afterEach(() => opened.close());

const BODY = "b".repeat(1000);

async function sendUntilFull(): Promise<number> {
  let sent = 0;
  for (;;) {
    const [result] = await send(opened.broker, find(opened.broker, "q"), [outgoing(`${sent} ${BODY}`)]);
    if (result?.status === "full") return sent;
    sent++;
    expect(sent).toBeLessThan(100_000);
  }
}

/** Receives and deletes until nothing comes. @returns the numbers of the messages */
async function drain(): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const received = await receive(opened.broker, find(opened.broker, "q"));
    if (received.status !== "ok" || received.messages.length === 0) return numbers;
    numbers.push(...received.messages.map((message) => Number(message.body.split(" ")[0])));
    const handles = received.messages.map((message) => message.receiptHandle);
    expect(new Set(await remove(opened.broker, find(opened.broker, "q"), handles))).toEqual(new Set(["ok"]));
  }
}

test("sends are refused, everything acknowledged can be received and deleted, then sends work again", async () => {
  const disk = new FakeDisk();
  disk.capacityBytes = 10 * SMALL_SEGMENT_BYTES;
  opened = await openOn(disk);
  await create(opened.broker, "q");
  expect(opened.trouble()).toBeUndefined();
  const sent = await sendUntilFull();
  expect(opened.trouble()).toMatch(/disk is full/);
  expect(sent).toBeGreaterThan(500);
  expect(await drain()).toEqual(Array.from({ length: sent }, (_, i) => i));
  await vi.waitFor(
    async () => {
      const [result] = await send(opened.broker, find(opened.broker, "q"), [outgoing("again")]);
      expect(result?.status).toBe("sent");
    },
    { timeout: 20_000, interval: 100 },
  );
  expect(opened.trouble()).toBeUndefined();
});

test("room from elsewhere is enough, and a restart on the full disk finds everything", async () => {
  const disk = new FakeDisk();
  disk.capacityBytes = 10 * SMALL_SEGMENT_BYTES;
  opened = await openOn(disk);
  await create(opened.broker, "q");
  const sent = await sendUntilFull();
  await opened.close();
  opened = await openOn(disk);
  expect(opened.broker.counts(find(opened.broker, "q")).visible).toBe(sent);
  disk.capacityBytes = 30 * SMALL_SEGMENT_BYTES;
  await vi.waitFor(
    async () => {
      const [result] = await send(opened.broker, find(opened.broker, "q"), [outgoing("again")]);
      expect(result?.status).toBe("sent");
    },
    { timeout: 20_000, interval: 100 },
  );
});

test("an index that finds no room stops nothing, and is written when there is some", async () => {
  const disk = new FakeDisk();
  opened = await openOn(disk);
  await create(opened.broker, "q");
  for (let i = 0; disk.files().get(segmentName(3)) === undefined; i++) {
    await send(opened.broker, find(opened.broker, "q"), [outgoing(`${i} ${BODY}`)]);
  }
  const sizeOf = () => disk.bytesOf(segmentName(1)).byteLength;
  expect(sizeOf()).toBe(SMALL_SEGMENT_BYTES);
  disk.capacityBytes = 0;
  const refusedAt = disk.calls.length;
  const isTried = () => disk.calls.slice(refusedAt).filter((call) => call.startsWith(`write ${segmentName(1)}`)).length;
  await vi.waitFor(() => expect(isTried()).toBeGreaterThan(1), { timeout: 20_000, interval: 50 });
  const received = await receive(opened.broker, find(opened.broker, "q"), 1);
  expect(received.status === "ok" && received.messages).toHaveLength(1);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await vi.waitFor(() => expect(sizeOf()).toBeGreaterThan(SMALL_SEGMENT_BYTES), { timeout: 20_000, interval: 50 });
});
