// The real broker on a real directory, in this process, with small segments so that a few thousand messages fill several.
import { readFileSync } from "node:fs";
import { type OpenBrokerOptions, type OpenedBroker, openBroker } from "../../src/broker/open.ts";
import type {
  Broker,
  Delivered,
  Outgoing,
  Queue,
  QueueSettings,
  Received,
  Sent,
  Settled,
} from "../../src/broker/types.ts";
import type { Disk } from "../../src/log/disk.ts";
import { openLog } from "../../src/log/local-log.ts";
import { NodeDisk } from "../../src/log/node-disk.ts";
import { DEFAULT_SETTINGS } from "../../src/sqs/attributes.ts";

export const SMALL_SEGMENT_BYTES = 256 * 1024;

export function openAt(directory: string, onNote?: (text: string) => void): Promise<OpenedBroker> {
  return openOn(new NodeDisk(directory), onNote);
}

export function openOn(
  disk: Disk,
  onNote: (text: string) => void = () => {},
  more: Partial<OpenBrokerOptions> = {},
): Promise<OpenedBroker> {
  return openBroker({
    coreWasm: readFileSync(new URL("../../build/out/core.wasm", import.meta.url)),
    openLog: (codec, segmentBytes) => openLog(disk, { codec, segmentBytes, onNote }),
    onFatal: (error) => {
      throw error;
    },
    segmentBytes: SMALL_SEGMENT_BYTES,
    tailBytes: 16 * 1024 * 1024,
    ...more,
  });
}

export const STANDARD: QueueSettings = DEFAULT_SETTINGS;

export function create(broker: Broker, name: string, settings: QueueSettings = STANDARD): Promise<Queue> {
  const queueName = { account: "000000000000", region: "us-east-1", name };
  return new Promise((resolve) =>
    broker.createQueue(queueName, settings, new Map(), () => resolve(find(broker, name))),
  );
}

export function find(broker: Broker, name: string): Queue {
  const queue = broker.find({ account: "000000000000", region: "us-east-1", name });
  if (queue === undefined) throw new Error(`no queue ${name}`);
  return queue;
}

export function outgoing(body: string, fifo?: { groupId: string; deduplicationId: string }): Outgoing {
  return {
    body,
    delayMs: undefined,
    attributes: undefined,
    groupId: fifo?.groupId,
    deduplicationId: fifo?.deduplicationId,
    senderId: "tester",
    traceHeader: undefined,
  };
}

export function send(broker: Broker, queue: Queue, messages: readonly Outgoing[]): Promise<readonly Sent[]> {
  return new Promise((resolve) => broker.send(queue, messages, resolve));
}

export function receive(
  broker: Broker,
  queue: Queue,
  countMax = 10,
  visibilityMs = 30_000,
  waitMs = 0,
  attemptId?: string,
): Promise<Received> {
  return new Promise((resolve) => broker.receive(queue, { countMax, visibilityMs, waitMs, attemptId }, resolve));
}

/** A receive with an attempt ID, of a minute. @returns receipt handles, or why there are none */
export function receiveAttempt(broker: Broker, queue: Queue, attemptId: string): Promise<readonly string[] | string> {
  const options = { countMax: 10, visibilityMs: 60_000, waitMs: 0, attemptId };
  return new Promise((resolve) =>
    broker.receive(queue, options, (received) =>
      resolve(received.status === "ok" ? received.messages.map((each) => each.receiptHandle) : received.status),
    ),
  );
}

export async function receiveAll(broker: Broker, queue: Queue): Promise<Delivered[]> {
  const all: Delivered[] = [];
  for (;;) {
    const received = await receive(broker, queue);
    if (received.status !== "ok" || received.messages.length === 0) return all;
    all.push(...received.messages);
  }
}

export function remove(broker: Broker, queue: Queue, handles: readonly string[]): Promise<readonly Settled[]> {
  return new Promise((resolve) => broker.delete(queue, handles, resolve));
}

export function purge(broker: Broker, queue: Queue): Promise<void> {
  return new Promise((resolve) => broker.purgeQueue(queue, resolve));
}
