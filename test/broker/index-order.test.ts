// A segment's index leaves out what is gone. It is written once that is gone for good: were the power cut in between, the next
// start would read the index, and find nothing of what was to be deleted or moved.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import type { DiskFile, OpenMode } from "../../src/log/disk.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, openOn, outgoing, receive, remove, SMALL_SEGMENT_BYTES, send } from "../support/open-broker.ts";
import { VirtualLoop } from "../support/virtual-loop.ts";

/** Records are kept waiting while it is told to; an index, which stands behind a segment's, is not. */
class HoldingDisk extends FakeDisk {
  #held: Promise<void> | undefined;

  /** @returns what lets them go on */
  hold(): () => void {
    let letGo = () => {};
    this.#held = new Promise((resolve) => {
      letGo = resolve;
    });
    return () => {
      this.#held = undefined;
      letGo();
    };
  }

  override async open(name: string, mode: OpenMode): Promise<DiskFile> {
    const file = await super.open(name, mode);
    return {
      ...file,
      write: async (bytes, offset) => {
        if (name.startsWith("segment-") && offset < SMALL_SEGMENT_BYTES) await this.#held;
        await file.write(bytes, offset);
      },
    };
  }
}

let loop: VirtualLoop;
let uninstall: () => void;
let disk: HoldingDisk;
let opened: OpenedBroker;

beforeEach(async () => {
  loop = new VirtualLoop();
  uninstall = loop.install();
  disk = new HoldingDisk();
  opened = await loop.until(openOn(disk));
});

afterEach(async () => {
  await loop.until(opened.close());
  uninstall();
});

const hasIndex = (): boolean => disk.bytesOf(segmentName(1)).byteLength > SMALL_SEGMENT_BYTES;

test("an index waits for the deletes that it leaves out", async () => {
  const queue = await loop.until(create(opened.broker, "q"));
  for (let i = 0; i < 90; i++) {
    await loop.until(
      send(
        opened.broker,
        queue,
        Array.from({ length: 10 }, () => outgoing("b".repeat(300))),
      ),
    );
  }
  const received = await loop.until(receive(opened.broker, queue, 1));
  const handles = received.status === "ok" ? received.messages.map((each) => each.receiptHandle) : [];
  expect(handles).toHaveLength(1);
  const letGo = disk.hold();
  let isDeleted = false;
  const deleted = remove(opened.broker, queue, handles).then(() => {
    isDeleted = true;
  });
  await loop.run(loop.nowMs + 30_000);
  expect({ isDeleted, hasIndex: hasIndex() }).toEqual({ isDeleted: false, hasIndex: false });
  letGo();
  await loop.until(deleted);
  await loop.run(loop.nowMs + 30_000);
  expect(hasIndex()).toBe(true);
});
