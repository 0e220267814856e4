// A client's bytes, made to look like a record of a later write, in a write that the power cut tore.
import { afterEach, expect, test } from "vitest";
import type { OpenedBroker } from "../../src/broker/open.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, receiveAll, SMALL_SEGMENT_BYTES, send } from "../support/open-broker.ts";
import { forgedRecord } from "../support/plain-codec.ts";

let opened: OpenedBroker | undefined;

afterEach(async () => {
  await opened?.close();
});

test("the start cuts the write off and goes on", async () => {
  const disk = new FakeDisk();
  opened = await openOn(disk);
  await create(opened.broker, "q");
  await send(opened.broker, find(opened.broker, "q"), [outgoing("acknowledged")]);
  const head = opened.core.headPosition;
  const segment = Math.floor(head / SMALL_SEGMENT_BYTES);
  const offset = head % SMALL_SEGMENT_BYTES;
  // At every distance from a multiple of eight, for the records' bytes stand anywhere.
  const forged = forgedRecord(segment, 2 ** 40, offset + 512);
  const attributes = Buffer.concat(
    Array.from({ length: 8 }, (_, i) => Buffer.concat([Buffer.alloc(i === 0 ? 0 : 1), forged])),
  );
  await send(opened.broker, find(opened.broker, "q"), [
    outgoing("first of its write"),
    { ...outgoing("x"), attributes },
  ]);
  await opened.close();

  const files = disk.files();
  const bytes = files.get(segmentName(segment)) as Uint8Array;
  bytes.fill(0, offset, offset + 64);
  const notes: string[] = [];
  opened = await openOn(FakeDisk.of(files), (text) => notes.push(text));
  const messages = await receiveAll(opened.broker, find(opened.broker, "q"));
  expect(messages.map(({ body }) => body)).toEqual(["acknowledged"]);
  expect(notes).toEqual([expect.stringContaining(`torn at offset ${offset}`)]);
});
