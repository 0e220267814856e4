// kill -9 under mixed load, twenty times: both protocols, standard and FIFO, delays, dead letters. Nothing acknowledged is
// lost, nothing acknowledged as deleted comes back, nothing comes before its delay is over, and no message of a group is
// delivered while an earlier one is still there.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { XMLParser } from "fast-xml-parser";
import { expect, test } from "vitest";
import { type BrokerProcess, call, startBroker } from "../support/broker-process.ts";

const CYCLES = 20;
const LOAD_MS = 250;
const GROUPS = 4;
const DELAY_S = 1;
/** So long that no message is received again while its deletion is on its way, however busy the machine. */
const STANDARD_VISIBILITY_S = 5;
/** The broker's clock and this process's are the same one, read a little apart. */
const CLOCK_SLACK_MS = 20;

interface Entry {
  readonly body: string;
  readonly group: string | undefined;
  readonly delayS: number;
}

interface Received {
  readonly body: string;
  readonly handle: string;
}

/** What the load asks, in one of the two protocols. Batches say which of their entries got through, by place. */
interface Client {
  send(endpoint: string, queue: string, entries: readonly Entry[]): Promise<readonly number[]>;
  receive(endpoint: string, queue: string, visibilityS: number, waitS: number): Promise<readonly Received[]>;
  delete(endpoint: string, queue: string, handles: readonly string[]): Promise<readonly number[]>;
}

const placeOf = ({ Id }: { readonly Id: string }): number => Number(Id.slice(1));
const fifoIds = ({ body, group }: Entry) =>
  group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: body.replaceAll(" ", "_") };

const JSON_CLIENT: Client = {
  async send(endpoint, queue, entries) {
    const Entries = entries.map((entry, i) => ({
      Id: `e${i}`,
      MessageBody: entry.body,
      ...(entry.delayS > 0 ? { DelaySeconds: entry.delayS } : {}),
      ...fifoIds(entry),
    }));
    const { body } = await call(endpoint, "SendMessageBatch", { QueueUrl: queue, Entries });
    return (body.Successful ?? []).map(placeOf);
  },
  async receive(endpoint, queue, visibilityS, waitS) {
    const { body } = await call(endpoint, "ReceiveMessage", {
      QueueUrl: queue,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: visibilityS,
      WaitTimeSeconds: waitS,
    });
    const messages: readonly { Body: string; ReceiptHandle: string }[] = body.Messages ?? [];
    return messages.map((message) => ({ body: message.Body, handle: message.ReceiptHandle }));
  },
  async delete(endpoint, queue, handles) {
    const Entries = handles.map((handle, i) => ({ Id: `e${i}`, ReceiptHandle: handle }));
    const { body } = await call(endpoint, "DeleteMessageBatch", { QueueUrl: queue, Entries });
    return (body.Successful ?? []).map(placeOf);
  },
};

const LISTS = ["SendMessageBatchResultEntry", "DeleteMessageBatchResultEntry", "Message"];
const xml = new XMLParser({ isArray: (name) => LISTS.includes(name), parseTagValue: false });

// biome-ignore lint/suspicious/noExplicitAny: XML of the wire
async function query(endpoint: string, action: string, parameters: Readonly<Record<string, string>>): Promise<any> {
  const response = await fetch(`${endpoint}/`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ Action: action, Version: "2012-11-05", ...parameters }),
  });
  return xml.parse(await response.text())[`${action}Response`]?.[`${action}Result`] ?? {};
}

/** Member.1.Id and so on, as AWS Query numbers its lists. */
function numbered(list: string, entries: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  return Object.fromEntries(
    entries.flatMap((entry, i) => Object.entries(entry).map(([name, value]) => [`${list}.${i + 1}.${name}`, value])),
  );
}

const QUERY_CLIENT: Client = {
  async send(endpoint, queue, entries) {
    const list = entries.map((entry, i) => ({
      Id: `e${i}`,
      MessageBody: entry.body,
      ...(entry.delayS > 0 ? { DelaySeconds: `${entry.delayS}` } : {}),
      ...fifoIds(entry),
    }));
    const parameters = { QueueUrl: queue, ...numbered("SendMessageBatchRequestEntry", list) };
    const result = await query(endpoint, "SendMessageBatch", parameters);
    return (result.SendMessageBatchResultEntry ?? []).map(placeOf);
  },
  async receive(endpoint, queue, visibilityS, waitS) {
    const result = await query(endpoint, "ReceiveMessage", {
      QueueUrl: queue,
      MaxNumberOfMessages: "10",
      VisibilityTimeout: `${visibilityS}`,
      WaitTimeSeconds: `${waitS}`,
    });
    const messages: readonly { Body: string; ReceiptHandle: string }[] = result.Message ?? [];
    return messages.map((message) => ({ body: message.Body, handle: message.ReceiptHandle }));
  },
  async delete(endpoint, queue, handles) {
    const list = handles.map((handle, i) => ({ Id: `e${i}`, ReceiptHandle: handle }));
    const parameters = { QueueUrl: queue, ...numbered("DeleteMessageBatchRequestEntry", list) };
    const result = await query(endpoint, "DeleteMessageBatch", parameters);
    return (result.DeleteMessageBatchResultEntry ?? []).map(placeOf);
  },
};

interface Known {
  readonly queue: string;
  readonly group: string | undefined;
  readonly order: number;
  readonly notBeforeMs: number;
  acknowledged: boolean;
  deleteAsked: boolean;
  deleted: boolean;
}

class Load {
  readonly known = new Map<string, Known>();
  readonly faults: string[] = [];
  readonly deletedBy = new Map<Client, number>();
  deadLetterCount = 0;
  delayedCount = 0; // delivered
  stopping = false;
  #next = 0;
  #orders = new Map<string, number>();

  #message(queue: string, group: string | undefined, delayS: number): { entry: Entry; known: Known } {
    const key = group ?? queue;
    const order = (this.#orders.get(key) ?? 0) + 1;
    this.#orders.set(key, order);
    const body = `${queue} ${group ?? "-"} ${order} ${this.#next++}`;
    const notBeforeMs = delayS > 0 ? Date.now() + delayS * 1000 - CLOCK_SLACK_MS : 0;
    const known: Known = { queue, group, order, notBeforeMs, acknowledged: false, deleteAsked: false, deleted: false };
    this.known.set(body, known);
    return { entry: { body, group, delayS }, known };
  }

  async produce(client: Client, endpoint: string, queue: string, group: string | undefined): Promise<void> {
    while (!this.stopping) {
      const batch = Array.from({ length: 3 }, (_, i) =>
        this.#message(queue, group, group === undefined && i === 0 ? DELAY_S : 0),
      );
      const sent = await client.send(
        endpoint,
        queue,
        batch.map(({ entry }) => entry),
      );
      for (const place of sent) (batch[place] as { known: Known }).known.acknowledged = true;
    }
  }

  /** Looks at deliveries. */
  #look(queue: string, messages: readonly Received[]): void {
    const nowMs = Date.now();
    for (const { body } of messages) {
      const known = this.known.get(body);
      if (known === undefined) {
        this.faults.push(`never sent: ${body}`);
        continue;
      }
      if (known.deleted) this.faults.push(`came back after its delete was acknowledged: ${body}`);
      if (nowMs < known.notBeforeMs) this.faults.push(`came ${known.notBeforeMs - nowMs} ms too early: ${body}`);
      if (known.notBeforeMs > 0) this.delayedCount++;
      if (known.queue !== queue) {
        this.deadLetterCount++;
        if (known.queue !== "failing" || queue !== "dead") this.faults.push(`came from ${queue}: ${body}`);
      }
      if (known.group !== undefined) this.#checkOrder(known, body, messages);
    }
  }

  /** Looks at deliveries, and deletes them. */
  async settle(client: Client, endpoint: string, queue: string, messages: readonly Received[]): Promise<void> {
    this.#look(queue, messages);
    for (const { body } of messages) {
      const known = this.known.get(body);
      if (known !== undefined) known.deleteAsked = true;
    }
    const deleted = await client.delete(
      endpoint,
      queue,
      messages.map(({ handle }) => handle),
    );
    for (const place of deleted) {
      const known = this.known.get((messages[place] as Received).body);
      if (known !== undefined) known.deleted = true;
    }
    this.deletedBy.set(client, (this.deletedBy.get(client) ?? 0) + deleted.length);
  }

  #checkOrder(known: Known, body: string, together: readonly Received[]): void {
    for (const [otherBody, other] of this.known) {
      if (other.group !== known.group || other.queue !== known.queue || other.order >= known.order) continue;
      if (!other.acknowledged || other.deleteAsked) continue;
      if (together.some((message) => message.body === otherBody)) continue;
      this.faults.push(`${body} was delivered while ${otherBody} was still there`);
    }
  }

  async consume(client: Client, endpoint: string, queue: string): Promise<void> {
    while (!this.stopping) {
      const messages = await client.receive(endpoint, queue, queue.endsWith(".fifo") ? 1 : STANDARD_VISIBILITY_S, 0);
      if (messages.length > 0) await this.settle(client, endpoint, queue, messages);
    }
  }

  /** Receives and gives back, so that messages become dead letters. */
  async fail(client: Client, endpoint: string, queue: string): Promise<void> {
    while (!this.stopping) this.#look(queue, await client.receive(endpoint, queue, 0, 0));
  }
}

test("nothing acknowledged is lost or comes back through twenty kills", async () => {
  const directory = mkdtempSync(join(tmpdir(), "wasq-kill-"));
  const load = new Load();
  let broker: BrokerProcess = await startBroker(directory);
  try {
    const redrive = { deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:dead", maxReceiveCount: 2 };
    await call(broker.endpoint, "CreateQueue", { QueueName: "plain" });
    await call(broker.endpoint, "CreateQueue", { QueueName: "ordered.fifo", Attributes: { FifoQueue: "true" } });
    await call(broker.endpoint, "CreateQueue", { QueueName: "dead" });
    await call(broker.endpoint, "CreateQueue", {
      QueueName: "failing",
      Attributes: { RedrivePolicy: JSON.stringify(redrive) },
    });
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      load.stopping = false;
      const { endpoint } = broker;
      const working = [
        load.produce(JSON_CLIENT, endpoint, "plain", undefined),
        load.produce(QUERY_CLIENT, endpoint, "plain", undefined),
        load.consume(JSON_CLIENT, endpoint, "plain"),
        load.consume(QUERY_CLIENT, endpoint, "plain"),
        ...Array.from({ length: GROUPS }, (_, i) =>
          load.produce(i % 2 === 0 ? JSON_CLIENT : QUERY_CLIENT, endpoint, "ordered.fifo", `g${i}`),
        ),
        load.consume(JSON_CLIENT, endpoint, "ordered.fifo"),
        load.consume(QUERY_CLIENT, endpoint, "ordered.fifo"),
        load.produce(QUERY_CLIENT, endpoint, "failing", undefined),
        load.fail(JSON_CLIENT, endpoint, "failing"),
        load.consume(QUERY_CLIENT, endpoint, "dead"),
      ].map((work) => work.catch(() => undefined)); // the connection goes with the broker
      await new Promise((resolve) => setTimeout(resolve, LOAD_MS + cycle * 7));
      await broker.stop("SIGKILL");
      load.stopping = true;
      await Promise.all(working);
      broker = await startBroker(directory);
    }
    // What is left is drained; what is delayed or in flight comes within six seconds. Draining "failing" makes dead letters.
    const drain = async (queue: string): Promise<void> => {
      for (let empty = 0; empty < 3; ) {
        const messages = await QUERY_CLIENT.receive(broker.endpoint, queue, 20, 2);
        if (messages.length === 0) empty++;
        else await load.settle(JSON_CLIENT, broker.endpoint, queue, messages);
      }
    };
    await Promise.all([drain("plain"), drain("ordered.fifo"), drain("failing").then(() => drain("dead"))]);
    const lost = [...load.known].filter(([, known]) => known.acknowledged && !known.deleteAsked).map(([body]) => body);
    expect(lost).toEqual([]);
    expect(load.faults).toEqual([]);
    for (const client of [JSON_CLIENT, QUERY_CLIENT]) expect(load.deletedBy.get(client)).toBeGreaterThan(100);
    expect(load.deadLetterCount).toBeGreaterThan(20);
    expect(load.delayedCount).toBeGreaterThan(20);
  } finally {
    await broker.stop("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}, 180_000);
