// kill -9 under mixed load, twenty times: nothing acknowledged is lost, nothing acknowledged as deleted comes back, and
// no message of a group is delivered while an earlier one is still there.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const CYCLES = 20;
const LOAD_MS = 250;
const GROUPS = 4;

interface Known {
  readonly queue: string;
  readonly group: string | undefined;
  readonly order: number;
  acknowledged: boolean;
  deleteAsked: boolean;
  deleted: boolean;
}

class Load {
  readonly known = new Map<string, Known>();
  readonly faults: string[] = [];
  stopping = false;
  #next = 0;
  #orders = new Map<string, number>();

  #message(queue: string, group: string | undefined): { body: string; known: Known } {
    const key = group ?? queue;
    const order = (this.#orders.get(key) ?? 0) + 1;
    this.#orders.set(key, order);
    const body = `${queue} ${group ?? "-"} ${order} ${this.#next++}`;
    const known: Known = { queue, group, order, acknowledged: false, deleteAsked: false, deleted: false };
    this.known.set(body, known);
    return { body, known };
  }

  async produce(endpoint: string, queue: string, group: string | undefined): Promise<void> {
    while (!this.stopping) {
      const batch = Array.from({ length: 3 }, () => this.#message(queue, group));
      const entries = batch.map(({ body }, i) => ({
        Id: `e${i}`,
        MessageBody: body,
        ...(group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: body.replaceAll(" ", "_") }),
      }));
      const result = await call(endpoint, "SendMessageBatch", { QueueUrl: queue, Entries: entries });
      for (const done of result.body.Successful ?? []) {
        (batch[Number(done.Id.slice(1))] as { known: Known }).known.acknowledged = true;
      }
    }
  }

  /** Looks at a delivery, and deletes it. */
  async settle(
    endpoint: string,
    queue: string,
    messages: readonly { Body: string; ReceiptHandle: string }[],
  ): Promise<void> {
    for (const message of messages) {
      const known = this.known.get(message.Body);
      if (known === undefined) this.faults.push(`never sent: ${message.Body}`);
      else if (known.deleted) this.faults.push(`came back after its delete was acknowledged: ${message.Body}`);
      else if (known.group !== undefined) this.#checkOrder(known, message.Body, messages);
      if (known !== undefined) known.deleteAsked = true;
    }
    const entries = messages.map((message, i) => ({ Id: `e${i}`, ReceiptHandle: message.ReceiptHandle }));
    const result = await call(endpoint, "DeleteMessageBatch", { QueueUrl: queue, Entries: entries });
    for (const done of result.body.Successful ?? []) {
      const message = messages[Number(done.Id.slice(1))];
      const known = message === undefined ? undefined : this.known.get(message.Body);
      if (known !== undefined) known.deleted = true;
    }
  }

  #checkOrder(known: Known, body: string, together: readonly { Body: string }[]): void {
    for (const [otherBody, other] of this.known) {
      if (other.group !== known.group || other.queue !== known.queue || other.order >= known.order) continue;
      if (!other.acknowledged || other.deleteAsked) continue;
      if (together.some((message) => message.Body === otherBody)) continue;
      this.faults.push(`${body} was delivered while ${otherBody} was still there`);
    }
  }

  async consume(endpoint: string, queue: string): Promise<void> {
    while (!this.stopping) {
      const result = await call(endpoint, "ReceiveMessage", {
        QueueUrl: queue,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: 1,
      });
      if (result.body.Messages !== undefined) await this.settle(endpoint, queue, result.body.Messages);
    }
  }
}

test("nothing acknowledged is lost or comes back through twenty kills", async () => {
  const directory = mkdtempSync(join(tmpdir(), "wasq-kill-"));
  const load = new Load();
  let broker: BrokerProcess = await startBroker(directory);
  try {
    await call(broker.endpoint, "CreateQueue", { QueueName: "plain" });
    await call(broker.endpoint, "CreateQueue", { QueueName: "ordered.fifo", Attributes: { FifoQueue: "true" } });
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      load.stopping = false;
      const { endpoint } = broker;
      const working = [
        load.produce(endpoint, "plain", undefined),
        load.produce(endpoint, "plain", undefined),
        load.consume(endpoint, "plain"),
        ...Array.from({ length: GROUPS }, (_, i) => load.produce(endpoint, "ordered.fifo", `g${i}`)),
        load.consume(endpoint, "ordered.fifo"),
        load.consume(endpoint, "ordered.fifo"),
      ].map((work) => work.catch(() => undefined)); // the connection goes with the broker
      await new Promise((resolve) => setTimeout(resolve, LOAD_MS + cycle * 7));
      await broker.stop("SIGKILL");
      load.stopping = true;
      await Promise.all(working);
      broker = await startBroker(directory);
    }
    // What is left is drained; in-flight messages come back within their second.
    for (const queue of ["plain", "ordered.fifo"]) {
      for (let empty = 0; empty < 2; ) {
        const result = await call(broker.endpoint, "ReceiveMessage", {
          QueueUrl: queue,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 2,
          VisibilityTimeout: 20,
        });
        if (result.body.Messages === undefined) empty++;
        else await load.settle(broker.endpoint, queue, result.body.Messages);
      }
    }
    const lost = [...load.known].filter(([, known]) => known.acknowledged && !known.deleteAsked).map(([body]) => body);
    expect(lost).toEqual([]);
    expect(load.faults).toEqual([]);
    expect([...load.known.values()].filter((known) => known.deleted).length).toBeGreaterThan(100);
  } finally {
    await broker.stop("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}, 180_000);
