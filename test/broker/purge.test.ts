// A purge between sends that wait for room: nothing that is confirmed belongs to a queue that the log does not know.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openLog } from "../../src/log/local-log.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { create, find, openOn, outgoing, receiveAll } from "../support/open-broker.ts";

const BODY = "x".repeat(1_000_000);
const SEGMENT_BYTES = 64 * 1024 * 1024;

test("sends that waited before a purge are the old queue's until the purge is on disk", async () => {
  const directory = mkdtempSync(join(tmpdir(), "wasq-purge-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const disk = new NodeDisk(join(directory, "data"));
  // Appends go on one at a time, when they are let.
  const waiting: (() => void)[] = [];
  let isHeld = false;
  const opened = await openOn(disk, undefined, {
    segmentBytes: SEGMENT_BYTES,
    openLog: async (codec, segmentBytes) => {
      const logOpened = await openLog(disk, { codec, segmentBytes, onNote: () => {} });
      const append = logOpened.log.append.bind(logOpened.log);
      logOpened.log.append = async (extents) => {
        const copies = extents.map(({ position, bytes }) => ({ position, bytes: bytes.slice() }));
        if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
        await append(copies);
      };
      return logOpened;
    },
  });
  const queue = await create(opened.broker, "q");
  isHeld = true;
  let sentCount = 0;
  let purged = false;
  const send = () => opened.broker.send(queue, [outgoing(BODY)], () => sentCount++);
  // More than the tail has room for, twice over: some go in, the others stand in line, and the purge behind them.
  for (let i = 0; i < 40; i++) send();
  opened.broker.purgeQueue(queue, () => {
    purged = true;
  });
  for (let appendCount = 0; appendCount < 2; appendCount++) {
    await expect.poll(() => waiting.length).toBe(1);
    const before = sentCount;
    waiting.shift()?.();
    await expect.poll(() => sentCount).toBeGreaterThan(before);
  }
  expect(purged).toBe(false);
  const confirmedCount = sentCount;
  const image = join(directory, "image");
  cpSync(join(directory, "data"), image, { recursive: true, filter: (path) => !path.includes("lock") });

  const after = await openOn(new NodeDisk(image), undefined, { segmentBytes: SEGMENT_BYTES });
  const found = await receiveAll(after.broker, find(after.broker, "q"));
  expect(found.length).toBeGreaterThanOrEqual(confirmedCount);
  await after.close();

  isHeld = false;
  for (const resolve of waiting) resolve();
  await expect.poll(() => purged).toBe(true);
  await opened.close();
});
