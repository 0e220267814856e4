// A disk without space: sends are refused, deletes and receives go on, and it is over when there is room again.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import {
  create,
  find,
  openAt,
  openOn,
  outgoing,
  receive,
  remove,
  SMALL_SEGMENT_BYTES,
  send,
} from "../support/open-broker.ts";

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

/** A file system of its own, that small; undefined where this process may not mount one. */
function mountSmall(sizeBytes: number): { readonly path: string; unmount(): void } | undefined {
  const path = mkdtempSync(join(tmpdir(), "small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    rmSync(path, { recursive: true });
    return undefined;
  }
  const unmount = () => {
    execFileSync("umount", [path]);
    rmSync(path, { recursive: true });
  };
  return { path, unmount };
}

/** Another one's file takes all that there is. */
function fillWith(path: string): void {
  const bytes = Buffer.alloc(64 * 1024, 1);
  for (;;) {
    try {
      writeFileSync(path, bytes, { flag: "a" });
    } catch {
      return;
    }
  }
}

const small = mountSmall(16 * 1024 * 1024);

test.skipIf(small === undefined)(
  "a real file system that another one fills while messages are sent: none is lost, and all is well when it is gone",
  async () => {
    const { path, unmount } = small as NonNullable<typeof small>;
    try {
      opened = await openAt(join(path, "data"));
      await create(opened.broker, "q");
      let sentCount = 0;
      let refusedCount = 0;
      const sendOne = () =>
        send(opened.broker, find(opened.broker, "q"), [outgoing(`${sentCount} ${BODY}`)]).then(([result]) => {
          if (result?.status === "sent") sentCount++;
          else refusedCount++;
        });
      for (let i = 0; i < 300; i++) await sendOne();
      fillWith(join(path, "other"));
      for (let i = 0; i < 2_000 && refusedCount === 0; i++) await sendOne();
      expect(refusedCount).toBe(1);
      expect(opened.trouble()).toMatch(/disk is full/);
      expect(await drain()).toEqual(Array.from({ length: sentCount }, (_, i) => i));
      rmSync(join(path, "other"));
      await vi.waitFor(
        async () => {
          const before = sentCount;
          await sendOne();
          expect(sentCount).toBeGreaterThan(before);
        },
        { timeout: 20_000, interval: 100 },
      );
      await opened.close();
      opened = await openAt(join(path, "data"));
      expect(await drain()).toEqual([sentCount - 1]);
      await opened.close();
    } finally {
      unmount();
    }
  },
  60_000,
);
