// A subscription that is paused while one of its messages is being read from disk.
import { expect, test } from "vitest";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, send } from "../support/open-broker.ts";

const RULES = {
  clientId: 1,
  visibilityMs: 30_000,
  processingMs: 3_600_000,
  batchMessages: 10,
  lingerMs: 0,
  fields: 0,
  groupInFlight: 1,
};

test("what was read while it was paused is sent when it goes on, without anything else happening", async () => {
  const disk = new FakeDisk();
  const before = await openOn(disk);
  await send(before.broker, await create(before.broker, "read"), [outgoing("from disk")]);
  await before.close();
  const opened = await openOn(disk); // nothing of the log is in memory now
  const frames: string[] = [];
  const listener = {
    frame: (bytes: Uint8Array) => frames.push(Buffer.from(bytes).toString("latin1")),
    ended: () => {},
  };
  const subscription = opened.streams.subscribe(find(opened.broker, "read"), RULES, listener);
  subscription?.setCredit(10, 1_000_000, 0, false, () => {});
  subscription?.pause();
  const later = async () => {
    for (let i = 0; i < 4; i++) {
      await opened.flush();
      await new Promise((others) => setImmediate(others));
    }
  };
  await later();
  expect(frames).toEqual([]);
  subscription?.resume();
  await later();
  expect(frames).toEqual([expect.stringContaining("from disk")]);
  await opened.close();
});
