// Writes test/golden/<name>: a small log with something of everything in it, and what a reader must find there.
//
//   node test/golden/write.ts 0.1.0
//
// Run once for each version whose format differs, and never again for the same name: what a release wrote is read for
// ever and edited never. Files are gzipped one by one; expected.json says what they hold.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { openBroker } from "../../src/broker/open.ts";
import type { Delivered, Outgoing, Queue, QueueSettings } from "../../src/broker/types.ts";
import { type GeneratedKey, KeyError, type KeyProvider } from "../../src/keys/provider.ts";
import { openLog } from "../../src/log/local-log.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { PublishType } from "../../src/stream/schema.ts";
import { changeMasterKey } from "../../src/vault/master-key-change.ts";
import { encryptionIn, keyringIn } from "../support/log-key.ts";
import { create, find, outgoing, purge, receive, remove, STANDARD, send } from "../support/open-broker.ts";

const SEGMENT_BYTES = 64 * 1024;
const BODY_BYTES = 1_000;
const DELAY_MS = 2_000;
const QUIET_MS = 2_500; // two rounds of housekeeping: indexes are written, what is sparse is given up

export interface Expected {
  readonly segmentBytes: number;
  /** When it was written: a reader's clock stands here, or retention would end everything. */
  readonly writtenMs: number;
  readonly queues: readonly ExpectedQueue[];
}

export interface ExpectedQueue {
  readonly name: string;
  readonly settings: QueueSettings;
  readonly tags: readonly (readonly [string, string])[];
  readonly createdMs: number;
  readonly counts: { readonly visible: number; readonly inFlight: number; readonly delayed: number };
  /** Visible messages, in the order in which they are received. */
  readonly messages: readonly ExpectedMessage[];
  /** Of messages in flight; each still deletes its message. */
  readonly handles: readonly string[];
  /** Of messages that are gone, or have been received again; they delete nothing. */
  readonly staleHandles: readonly string[];
  /** Sent again, they are duplicates of these messages: [group ID, deduplication ID, message ID]. */
  readonly duplicates: readonly (readonly [string, string, string])[];
}

/** A Delivered without what every receive makes anew; the body by its digest, attributes in hex. */
export interface ExpectedMessage {
  readonly messageId: string;
  readonly bodyMd5: string; // as a reader computes it from the body
  readonly attributes: string | undefined;
  readonly groupId: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly senderId: string;
  readonly traceHeader: string | undefined;
  readonly sentMs: number;
  readonly receiveCount: number; // after the reader has received it
  readonly sequenceNumber: string | undefined;
  readonly deadLetterSourceArn: string | undefined;
}

export function expectedOf(message: Delivered): ExpectedMessage {
  const { receiptHandle: _handle, firstReceivedMs: _first, body, attributes, ...rest } = message;
  return {
    ...rest,
    bodyMd5: createHash("md5").update(body).digest("hex"),
    attributes: attributes === undefined ? undefined : Buffer.from(attributes).toString("hex"),
  };
}

const bodyOf = (name: string, i: number) => `${name} ${i} `.padEnd(BODY_BYTES, "abcdefghij");

/** The directory's keyring, which may be out of reach. */
class CutKeyring implements KeyProvider {
  isCut = false;
  readonly #keyring: KeyProvider;

  constructor(keyring: KeyProvider) {
    this.#keyring = keyring;
  }

  async generate(...asked: Parameters<KeyProvider["generate"]>): Promise<GeneratedKey> {
    return this.#keyring.generate(...asked);
  }
  async unwrap(wrapped: Uint8Array): Promise<Buffer> {
    if (this.isCut) throw new KeyError("KmsThrottled", "The line is cut");
    return this.#keyring.unwrap(wrapped);
  }
}

async function write(directory: string): Promise<Expected> {
  let keyProvider = new CutKeyring(keyringIn(directory));
  const open = () =>
    openBroker({
      keyProvider,
      coreWasm: readFileSync(new URL("../../build/out/core.wasm", import.meta.url)),
      openLog: (codec, segmentBytes) =>
        openLog(new NodeDisk(directory), {
          codec,
          segmentBytes,
          onNote: console.error,
          encryption: encryptionIn(directory),
        }),
      onFatal: (error) => {
        throw error;
      },
      segmentBytes: SEGMENT_BYTES,
      tailBytes: 16 * 1024 * 1024,
    });
  let opened = await open();
  const queueOf = (name: string): Queue => find(opened.broker, name);
  const sendAll = async (name: string, messages: readonly Outgoing[]): Promise<string[]> => {
    const ids: string[] = [];
    for (const message of messages) {
      const [sent] = await send(opened.broker, queueOf(name), [message]);
      if (sent === undefined || !("messageId" in sent)) throw new Error(`${name} takes no message`);
      ids.push(sent.messageId);
      if (ids.length % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return ids;
  };
  const take = async (name: string, count: number, visibilityMs: number): Promise<Delivered[]> => {
    const taken: Delivered[] = [];
    while (taken.length < count) {
      const received = await receive(opened.broker, queueOf(name), Math.min(10, count - taken.length), visibilityMs);
      if (received.status !== "ok" || received.messages.length === 0) throw new Error(`${name} has no message`);
      taken.push(...received.messages);
    }
    return taken;
  };
  const deleteAll = async (name: string, messages: readonly Delivered[]): Promise<void> => {
    for (const { receiptHandle } of messages) await remove(opened.broker, queueOf(name), [receiptHandle]);
  };
  /** Over a stream, whose messages have records of their own. The numbers of a producer go on. */
  const publish = (name: string, first: number, count: number): Promise<void> =>
    new Promise((done, fail) => {
      const { streams } = opened;
      const wrong = (what: string) => () => fail(new Error(`${name}: the publisher is ${what}`));
      const options = { producerId: Buffer.alloc(16, 7), wantsIds: false, senderId: "sender" };
      const publisher = streams.openPublisher(queueOf(name), options, {
        confirmed: () => done(),
        failing: () => {},
        refused: wrong("refused"),
        malformed: wrong("not understood"),
        ended: wrong("ended"),
      });
      const messages = Array.from({ length: count }, (_, i) => ({ text: bodyOf(name, first + i) }));
      const bytes = PublishType.encode({ publisher: 1, first, messages }).finish();
      if (!streams.takeFrame(bytes)) fail(new Error("no memory"));
      publisher?.publish(0, bytes.byteLength, first);
    });
  const many = (name: string, first: number, count: number): Outgoing[] =>
    Array.from({ length: count }, (_, i) => outgoing(bodyOf(name, first + i)));
  const hour = 3_600_000;

  await create(opened.broker, "dead");
  await create(opened.broker, "plain");
  await create(opened.broker, "noise");
  await create(opened.broker, "gone");
  const arn = "arn:aws:sqs:us-east-1:000000000000:dead";
  const redrive = { deadLetterTargetArn: arn, maxReceiveCount: 1 };
  await create(opened.broker, "failing", { ...STANDARD, redrive });
  await create(opened.broker, "orders.fifo", { ...STANDARD, fifo: true, contentBasedDeduplication: true });
  await create(opened.broker, "purged");
  await create(opened.broker, "sealed", { ...STANDARD, kmsMasterKeyId: "alias/aws/sqs", sqsManagedSse: false });
  await create(opened.broker, "streamed");

  // The standard queue: attributes, text beyond ASCII, a delay, receives, a deletion, a changed visibility.
  const special: Outgoing = {
    ...outgoing("naïve 東京 🚀"),
    attributes: new Uint8Array([1, 2, 3, 250, 0, 7]),
    traceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793",
  };
  await sendAll("plain", [special, ...many("plain", 0, 60)]);
  await sendAll("gone", many("gone", 0, 10));
  await sendAll("purged", many("purged", 0, 10));
  const held = await take("plain", 12, 11 * hour);
  await deleteAll("plain", held.slice(0, 4));
  const back = held.slice(4, 7);
  for (const { receiptHandle } of back) {
    await new Promise((resolve) =>
      opened.broker.changeVisibility(queueOf("plain"), [{ receiptHandle, visibilityMs: 0 }], resolve),
    );
  }
  await sendAll("plain", [{ ...outgoing("later"), delayMs: 900_000 }]);

  await publish("streamed", 1, 30);
  await take("streamed", 6, 11 * hour);

  // Dead letters, of messages received twice.
  await sendAll("failing", many("failing", 0, 3));
  await take("failing", 3, 0);
  await receive(opened.broker, queueOf("failing"), 10, 0);

  // FIFO: groups, a message in flight, one deleted whose ID is still remembered, an ID by content.
  const order = (i: number): Outgoing =>
    outgoing(bodyOf("order", i), { groupId: `group-${i % 3}`, deduplicationId: `id-${i}` });
  const orderIds = await sendAll(
    "orders.fifo",
    Array.from({ length: 20 }, (_, i) => order(i)),
  );
  const [contentId] = await sendAll("orders.fifo", [{ ...outgoing("by content"), groupId: "group-c" }]);
  const [firstOrder] = await take("orders.fifo", 1, 11 * hour);
  if (firstOrder === undefined) throw new Error("no order");
  await deleteAll("orders.fifo", [firstOrder]);

  await new Promise<void>((done) => opened.broker.deleteQueue(queueOf("gone"), done));
  await purge(opened.broker, queueOf("purged"));
  await sendAll("purged", many("purged", 100, 2));
  const tags = new Map([["owner", "tests"]]);
  const changed = { ...STANDARD, visibilitySeconds: 77, retentionSeconds: 1_209_600 };
  await new Promise<void>((done) => opened.broker.setQueue(queueOf("plain"), changed, tags, done));

  // Noise that is deleted: the segments it filled are given up, and what lives in them is written again.
  await sendAll("noise", many("noise", 0, 200));
  await deleteAll("noise", await take("noise", 200, 11 * hour));
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));

  // Of a queue with a key: a receive that counts, and one that is given back because the key cannot be had.
  await sendAll("sealed", many("sealed", 0, 3));
  await take("sealed", 1, 0);
  await sendAll("sealed", [{ ...outgoing("given back"), delayMs: DELAY_MS }]);
  await take("sealed", 3, 11 * hour);
  await opened.close();
  opened = await open();
  keyProvider.isCut = true;
  const polled = await receive(opened.broker, queueOf("sealed"), 10, 11 * hour, 3 * DELAY_MS);
  if (polled.status !== "locked") throw new Error(`The poll of what cannot be opened is ${polled.status}`);
  keyProvider.isCut = false;
  await sendAll("sealed", many("sealed", 3, 2));
  // Segments that stay, most of them indexed; then a restart, and a last write.
  await sendAll("plain", many("plain", 100, 120));
  await publish("streamed", 31, 80);
  const [heldOrder] = await take("orders.fifo", 1, 11 * hour);
  if (heldOrder === undefined) throw new Error("no order");
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  await sendAll("plain", many("plain", 300, 20));
  await opened.close();
  // SQS's own keys come from another master key from here on, and what they have wrapped from the first.
  changeMasterKey({ dataDirectory: directory, env: {}, toPath: undefined, nowMs: Date.now() });
  keyProvider = new CutKeyring(keyringIn(directory));
  opened = await open();
  await sendAll("sealed", many("sealed", 5, 2));
  await opened.close();
  const copy = join(directory, "..", "copy");
  mkdirSync(copy);
  for (const name of readdirSync(directory)) writeFileSync(join(copy, name), readFileSync(join(directory, name)));
  const writtenMs = Date.now();

  // What is in it, as this version reads it back.
  opened = await open();
  const queues: ExpectedQueue[] = [];
  for (const queue of opened.broker.list("000000000000", "us-east-1", "", "", 100)) {
    const counts = opened.broker.counts(queue);
    const messages: ExpectedMessage[] = [];
    for (;;) {
      const received = await receive(opened.broker, queue, 10, 11 * hour);
      if (received.status !== "ok" || received.messages.length === 0) break;
      messages.push(...received.messages.map(expectedOf));
      if (queue.settings.fifo) {
        const handles = received.messages.map((message) => message.receiptHandle);
        await remove(opened.broker, queue, handles);
      }
    }
    const isPlain = queue.name === "plain";
    const isFifo = queue.settings.fifo;
    queues.push({
      name: queue.name,
      settings: queue.settings,
      tags: [...queue.tags],
      createdMs: queue.createdMs,
      counts,
      messages,
      handles: isPlain ? held.slice(7).map((each) => each.receiptHandle) : isFifo ? [heldOrder.receiptHandle] : [],
      staleHandles: isPlain ? held.slice(0, 4).map((each) => each.receiptHandle) : [],
      duplicates: isFifo
        ? [
            ["group-0", "id-0", orderIds[0] as string],
            ["group-1", "id-19", orderIds[19] as string],
            ["group-c", "", contentId as string],
          ]
        : [],
    });
  }
  await opened.close();
  return { segmentBytes: SEGMENT_BYTES, writtenMs, queues };
}

/** JSON with a line for every message. */
function textOf(expected: Expected): string {
  return JSON.stringify(expected, undefined, 1).replaceAll(/\{\s+("messageId"[^}]*)\}/g, (_, fields: string) => {
    return `{ ${fields.trim().replaceAll(/\n\s+/g, " ")} }`;
  });
}

async function main(name: string): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "wasq-golden-"));
  const directory = join(base, "data");
  mkdirSync(directory);
  const expected = await write(directory);
  const target = fileURLToPath(new URL(name, import.meta.url));
  mkdirSync(target);
  for (const file of readdirSync(join(base, "copy"))) {
    if (/^lock|\.lock$|^manifest\.next$|^master\.key\./.test(file)) continue;
    writeFileSync(join(target, `${file}.gz`), gzipSync(readFileSync(join(base, "copy", file)), { level: 9 }));
  }
  writeFileSync(join(target, "expected.json"), `${textOf(expected)}\n`);
  rmSync(base, { recursive: true });
}

const name = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (name === undefined) throw new Error("Which version is it? node test/golden/write.ts 0.1.0");
  await main(name);
}
