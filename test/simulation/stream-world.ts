// One seed of streams: publishers that send again what was not confirmed, consumers that ack and give back what was lost
// on its way, all through cuts of their connections, and requests on the direct way; the process ends, or the power goes.
import type { OpenedBroker } from "../../src/broker/open.ts";
import { SteadyClock } from "../../src/broker/steady-clock.ts";
import { openLog } from "../../src/log/local-log.ts";
import { parseQueueUrl } from "../../src/sqs/names.ts";
import type { Connection } from "../../src/stream/connection.ts";
import { StreamHub } from "../../src/stream/hub.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { create, find, openOn, receive, remove, STANDARD } from "../support/open-broker.ts";
import { SimulatedDisk } from "../support/simulated-disk.ts";
import { CALLER, type Json } from "../support/stream-rig.ts";
import { VirtualLoop } from "../support/virtual-loop.ts";

const KiB = 1024;
const SEGMENT_BYTES = 64 * KiB;
const START_MS = 1_800_000_000_000;
const LIFE_COUNT_MAX = 4;
const LIFE_MS_MAX = 2_500;
const OPEN_MS_MAX = 600_000;
const GRACE_MS = 300;
/** Of the request that gives back what was lost on its way. */
const GIVE_BACK_ID = 3;
const AHEAD_MAX = 60; // numbers that are not confirmed
const QUEUES = ["plain", "line.fifo", "direct"] as const;

interface Item {
  readonly queue: string;
  readonly number: number; // of its producer
  readonly group: string;
  readonly text: string;
  isConfirmed: boolean;
  isAckAsked: boolean;
  isAcked: boolean;
  messageId: string | undefined;
}

export interface StreamOutcome {
  readonly faults: readonly string[];
  readonly confirmedCount: number;
  readonly deliveredCount: number;
  readonly ackedCount: number;
  readonly resumedCount: number;
  readonly resentCount: number;
  readonly givenBackCount: number;
  readonly directCount: number;
}

export async function simulateStreams(seed: number): Promise<StreamOutcome> {
  const loop = new VirtualLoop();
  const restore = loop.install();
  try {
    return await new StreamWorld(seed, loop).play();
  } finally {
    restore();
  }
}

function numbersOf(ranges: readonly Json[] | undefined): number[] {
  return (ranges ?? []).flatMap(({ first, last }) =>
    Array.from({ length: Math.max(last ?? 0, first) - first + 1 }, (_, i) => first + i),
  );
}

/** A producer's messages, of which it remembers all, whatever happens. */
class Producer {
  readonly queue: string;
  readonly uuid: string;
  readonly items: Item[] = []; // number n at n - 1
  confirmed = 0;
  constructor(queue: string, uuid: string) {
    this.queue = queue;
    this.uuid = uuid;
  }
}

class StreamWorld {
  readonly #loop: VirtualLoop;
  readonly #random: () => number;
  readonly #faults: string[] = [];
  readonly #items = new Map<string, Item>(); // by text
  readonly #producers = [
    new Producer("plain", "0b5a6d0e-5f0b-4a53-9b0a-0c5f3f1c2d11"),
    new Producer("plain", "0b5a6d0e-5f0b-4a53-9b0a-0c5f3f1c2d12"),
    new Producer("line.fifo", "0b5a6d0e-5f0b-4a53-9b0a-0c5f3f1c2d13"),
  ];
  /** Of FIFO groups: which session has which items out, as far as clients know, and until when. */
  readonly #out = new Map<string, { session: object; untilMs: number; items: Set<Item> }>();
  #disk = new FakeDisk();
  #opened: OpenedBroker | undefined;
  #hub: StreamHub | undefined;
  #life = 0;
  #nextDirect = 1;
  #count = { delivered: 0, acked: 0, resumed: 0, resent: 0, givenBack: 0, direct: 0 };

  constructor(seed: number, loop: VirtualLoop) {
    this.#loop = loop;
    this.#random = randomOf(seed);
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }

  async play(): Promise<StreamOutcome> {
    const lives = 1 + this.#below(LIFE_COUNT_MAX);
    for (let life = 0; life < lives && this.#faults.length === 0; life++) await this.#live();
    if (this.#faults.length === 0) await this.#drain();
    return {
      faults: this.#faults,
      confirmedCount: [...this.#items.values()].filter(({ isConfirmed }) => isConfirmed).length,
      deliveredCount: this.#count.delivered,
      ackedCount: this.#count.acked,
      resumedCount: this.#count.resumed,
      resentCount: this.#count.resent,
      givenBackCount: this.#count.givenBack,
      directCount: this.#count.direct,
    };
  }

  // --- lives ------------------------------------------------------------------------------------------------------

  async #open(disk: SimulatedDisk): Promise<OpenedBroker | undefined> {
    const loop = this.#loop;
    const onFatal = (error: unknown) => this.#fault(error instanceof Error ? `${error.stack}` : String(error));
    const clock = new SteadyClock(
      () => START_MS + loop.nowMs,
      () => loop.nowMs,
    );
    let opened: OpenedBroker | undefined;
    openOn(disk, undefined, {
      segmentBytes: SEGMENT_BYTES,
      tailBytes: 4 * 1024 * KiB + 512 * KiB,
      cacheBytes: 512 * KiB,
      clock,
      openLog: (codec, segmentBytes) =>
        openLog(disk, { codec, segmentBytes, onNote: () => {}, logId: "5eed".repeat(8) }),
      onFatal,
      onFault: onFatal,
    })
      .then(async (it) => {
        for (const name of QUEUES) {
          if (it.broker.find({ account: CALLER.account, region: CALLER.region, name }) === undefined)
            await create(it.broker, name, { ...STANDARD, fifo: name.endsWith(".fifo"), visibilitySeconds: 1 });
        }
        opened = it;
      })
      .catch(onFatal);
    await loop.run(loop.nowMs + OPEN_MS_MAX, () => opened !== undefined || this.#faults.length > 0);
    if (opened === undefined) this.#fault("it does not open");
    return opened;
  }

  async #live(): Promise<void> {
    const life = ++this.#life;
    const disk = new SimulatedDisk(this.#disk, this.#loop, this.#random);
    const opened = await this.#open(disk);
    if (opened === undefined) return;
    this.#opened = opened;
    this.#hub = new StreamHub(opened.streams, {
      clock: opened.clock,
      serverVersion: "0",
      nameOf: (text, { account, region }) => parseQueueUrl(text, account, region),
      onFault: (error) => this.#fault(`a fault: ${error}`),
    });
    const run = (client: () => Promise<void>) => {
      client().catch((error) => this.#fault(error instanceof Error ? `${error.stack}` : String(error)));
    };
    run(async () => {
      for (; this.#life === life; await this.#loop.sleep(50)) this.#hub?.tick();
    });
    for (const producer of this.#producers) run(() => this.#publisher(producer));
    for (const queue of ["plain", "line.fifo", "line.fifo"]) run(() => this.#consumer(queue));
    run(() => this.#direct());
    await this.#loop.run(this.#loop.nowMs + this.#below(LIFE_MS_MAX), () => this.#faults.length > 0);
    this.#disk = await disk.crash(this.#random() < 0.6 ? "power" : "kill");
    this.#loop.clear();
    this.#out.clear(); // every session has ended with the process
  }

  /** Whatever is in the queues now, and that it is what has to be there. */
  async #drain(): Promise<void> {
    const opened = await this.#open(new SimulatedDisk(this.#disk, this.#loop, this.#random));
    if (opened === undefined) return;
    const found = new Set<string>();
    let isDone = false;
    const work = async () => {
      await this.#loop.sleep(60_000); // whatever was out is visible
      for (const name of QUEUES) {
        const queue = find(opened.broker, name);
        for (;;) {
          const received = await receive(opened.broker, queue, 10, 600_000);
          if (received.status !== "ok") throw new Error(received.status);
          if (received.messages.length === 0) break;
          for (const { body, messageId } of received.messages) {
            if (found.has(body)) this.#fault(`twice in its queue: ${body.slice(0, 40)}`);
            found.add(body);
            const item = this.#items.get(body);
            if (item === undefined) this.#fault(`never sent: ${body.slice(0, 40)}`);
            else this.#saw(item, messageId, "at the end");
          }
          await remove(
            opened.broker,
            queue,
            received.messages.map(({ receiptHandle }) => receiptHandle),
          );
        }
      }
      isDone = true;
    };
    work().catch((error) => this.#fault(String(error)));
    await this.#loop.run(this.#loop.nowMs + 10 * OPEN_MS_MAX, () => isDone || this.#faults.length > 0);
    for (const item of this.#items.values()) {
      if (item.isConfirmed && !item.isAckAsked && !found.has(item.text)) this.#fault(`lost: ${item.text.slice(0, 40)}`);
    }
    this.#disk.kill();
    this.#loop.clear();
  }

  #saw(item: Item, messageId: string, when: string): void {
    const what = `${item.text.slice(0, 40)} ${when}`;
    if (item.isAcked) this.#fault(`${what}, acked before`);
    if (item.messageId !== undefined && item.messageId !== messageId) this.#fault(`${what}, there twice`);
    item.messageId = messageId;
  }

  // --- clients ----------------------------------------------------------------------------------------------------

  #connect(onEnvelope: (envelope: Json) => void): { connection: Connection; send: (...all: object[]) => void } {
    const connection = (this.#hub as StreamHub).connect(
      {
        bufferedBytes: 0,
        send: (bytes) => {
          // It arrives a moment later, if the connection is there by then.
          const lines = Buffer.from(bytes).toString().split("\n");
          this.#loop.after(1, () => {
            if (!connection.isEnded) for (const line of lines) onEnvelope(JSON.parse(line));
          });
        },
        end: (code, reason) => this.#fault(`closed with ${code}: ${reason}`),
      },
      { subprotocol: "wasq.v1.json", caller: CALLER, origin: undefined },
    );
    const send = (...all: object[]) => {
      if (!connection.isEnded)
        connection.receive(Buffer.from(all.map((each) => JSON.stringify(each)).join("\n")), true);
    };
    return { connection, send };
  }

  async #publisher(producer: Producer): Promise<void> {
    const life = this.#life;
    let token = "";
    while (this.#life === life) {
      let isOpen = false;
      let sent = 0;
      const { connection, send } = this.#connect(({ welcome, publisherOpened, confirm, refused }) => {
        if (welcome?.resumed) this.#count.resumed++;
        const [resumed] = welcome?.resumed ? welcome.publishers : [];
        if (welcome && resumed === undefined)
          send({ id: 2, openPublisher: { publisher: 1, queue: producer.queue, producer: producer.uuid } });
        if (welcome) token = welcome.sessionToken;
        const opened = publisherOpened ?? resumed;
        this.#confirm(producer, opened?.confirmed ?? confirm?.number ?? 0);
        if (confirm?.failures) this.#fault(`refused: ${JSON.stringify(confirm.failures)}`);
        if (refused) this.#fault(`refused: ${JSON.stringify(refused)}`);
        if (opened === undefined) return;
        isOpen = true;
        sent = producer.confirmed;
        this.#count.resent += producer.items.length - sent;
      });
      send({ id: 1, hello: { graceMs: GRACE_MS, sessionToken: token } });
      const endMs = this.#loop.nowMs + 20 + this.#below(600);
      while (this.#loop.nowMs < endMs && this.#life === life) {
        await this.#loop.sleep(1 + this.#below(25));
        if (!isOpen || sent - producer.confirmed > AHEAD_MAX) continue;
        const first = sent + 1;
        const count = 1 + this.#below(8);
        while (producer.items.length < sent + count) this.#make(producer);
        sent += count;
        const messages = producer.items.slice(first - 1, sent).map(({ text, group, number }) => ({
          text,
          ...(producer.queue.endsWith(".fifo") && { groupId: group, deduplicationId: `${number}` }),
        }));
        send({ publish: { publisher: 1, first, messages } });
      }
      connection.closed();
      await this.#loop.sleep(this.#below(2 * GRACE_MS));
    }
  }

  #make(producer: Producer): void {
    const number = producer.items.length + 1;
    const group = `g${this.#below(3)}`;
    const label = `${producer.queue} ${producer.uuid.slice(-2)} ${group} ${number} `;
    const text = label.padEnd(this.#below(this.#random() < 0.9 ? 500 : 9_000), "x");
    producer.items.push(this.#item(producer.queue, number, group, text));
  }

  #item(queue: string, number: number, group: string, text: string): Item {
    const flags = { isConfirmed: false, isAckAsked: false, isAcked: false, messageId: undefined };
    const item: Item = { queue, number, group, text, ...flags };
    this.#items.set(text, item);
    return item;
  }

  #confirm(producer: Producer, number: number): void {
    if (number > producer.items.length) this.#fault(`${number} is confirmed, and was never sent`);
    for (; producer.confirmed < number; producer.confirmed++) {
      (producer.items[producer.confirmed] as Item).isConfirmed = true;
    }
  }

  async #consumer(queue: string): Promise<void> {
    const life = this.#life;
    const isFifo = queue.endsWith(".fifo");
    let token = "";
    let session = {}; // what it is to the groups that it has
    let out = new Map<number, Item>(); // by delivery number
    while (this.#life === life) {
      const asked = new Map<number, Map<number, Item>>(); // acks by request, the items by delivery number
      const revoked = new Set<number>();
      let nextId = 10;
      let isGivingBack = false; // and has not been told that it is done
      let isOpen = false;
      const { connection, send } = this.#connect(({ id, welcome, deliver, settled, revoke, error }) => {
        if (welcome) {
          isOpen = true;
          if (welcome.resumed) {
            this.#count.resumed++;
            const outstanding = numbersOf(welcome.subscriptions?.[0]?.outstanding);
            for (const number of out.keys()) if (!outstanding.includes(number)) this.#fault(`${number} is out no more`);
            const deliveries = outstanding.filter((number) => !out.has(number)).map((first) => ({ first }));
            this.#count.givenBack += deliveries.length;
            if (deliveries.length > 0) send({ id: GIVE_BACK_ID, nack: { subscription: 1, deliveries } });
            isGivingBack = deliveries.length > 0;
          } else {
            this.#leave(session, 0);
            session = {};
            out = new Map();
            const rules = { processingMsMax: 3_600_000, groupInFlight: 1 + this.#below(4) };
            send({ id: 2, subscribe: { subscription: 1, queue, ...rules } });
          }
          token = welcome.sessionToken;
          this.#stay(session);
          send({ credit: { subscription: 1, messages: 20, bytes: 100_000, auto: true } });
        }
        deliver?.messages.forEach((message: Json, i: number) => {
          this.#count.delivered++;
          const item = this.#items.get(message.text);
          if (item === undefined) {
            this.#fault(`never sent: ${message.text.slice(0, 40)}`);
            return;
          }
          this.#saw(item, message.messageId, "pushed");
          out.set(deliver.first + i, item);
          // What is given back has more of its group behind it on its way, until it is back: that is called back then.
          if (isFifo) this.#checkGroup(item, session, !isGivingBack);
        });
        if (settled && id === GIVE_BACK_ID) isGivingBack = false;
        if (error) this.#fault(`an error: ${JSON.stringify(error)}`);
        const isFailed = (number: number) =>
          settled?.failures?.some((each: Json) => number >= each.delivery && number <= (each.last ?? each.delivery));
        for (const [number, item] of asked.get(id) ?? []) {
          if (isFailed(number)) {
            if (!revoked.has(number)) this.#fault(`not settled: ${JSON.stringify(settled)}`);
            continue;
          }
          item.isAcked = true;
          this.#count.acked++;
        }
        if (revoke && (!isFifo || revoke.reason !== "GROUP_FAILED"))
          this.#fault(`called back: ${JSON.stringify(revoke)}`);
        for (const number of numbersOf(revoke?.deliveries)) {
          revoked.add(number);
          const item = out.get(number);
          if (item === undefined) continue;
          out.delete(number);
          this.#out.get(item.group)?.items.delete(item);
        }
      });
      send({ id: 1, hello: { graceMs: GRACE_MS, sessionToken: token } });
      const endMs = this.#loop.nowMs + 20 + this.#below(800);
      while (this.#loop.nowMs < endMs && this.#life === life) {
        await this.#loop.sleep(1 + this.#below(30));
        const taken = new Map([...out].slice(0, 1 + this.#below(6)));
        if (taken.size === 0 || !isOpen || connection.isEnded) continue;
        for (const [number, item] of taken) {
          item.isAckAsked = true;
          out.delete(number);
          this.#out.get(item.group)?.items.delete(item);
        }
        asked.set(++nextId, taken);
        send({ id: nextId, ack: { subscription: 1, deliveries: [...taken.keys()].map((first) => ({ first })) } });
      }
      connection.closed();
      this.#leave(session, this.#loop.nowMs + GRACE_MS);
      await this.#loop.sleep(this.#below(2 * GRACE_MS));
    }
  }

  /** The session is cut: what it has is its own until then. */
  #leave(session: object, untilMs: number): void {
    for (const out of this.#out.values()) if (out.session === session) out.untilMs = untilMs;
  }
  #stay(session: object): void {
    this.#leave(session, Number.POSITIVE_INFINITY);
  }

  /** `isInOrder`: nothing that is still to be had comes before it in its group. */
  #checkGroup(item: Item, session: object, isInOrder: boolean): void {
    let out = this.#out.get(item.group);
    if (out !== undefined && out.session !== session) {
      if (out.items.size > 0 && this.#loop.nowMs < out.untilMs)
        this.#fault(`${item.text.slice(0, 40)}, and its group is with another session`);
      out = undefined;
    }
    out ??= { session, untilMs: Number.POSITIVE_INFINITY, items: new Set() };
    this.#out.set(item.group, out);
    const [, , producer] = this.#producers;
    for (const earlier of producer?.items ?? []) {
      if (earlier.number >= item.number) break;
      if (!isInOrder || earlier.group !== item.group || earlier.isAckAsked || out.items.has(earlier)) continue;
      this.#fault(`${item.text.slice(0, 40)} before ${earlier.text.slice(0, 40)}`);
    }
    out.items.add(item);
  }

  /** Whole requests of AWS JSON, as the core reads and answers them. */
  async #direct(): Promise<void> {
    const life = this.#life;
    const { direct, broker } = this.#opened as OpenedBroker;
    const queue = find(broker, "direct");
    const QueueUrl = "http://127.0.0.1:9324/000000000000/direct";
    while (this.#life === life) {
      await this.#loop.sleep(1 + this.#below(30));
      const items = Array.from({ length: 1 + this.#below(5) }, () => {
        const number = this.#nextDirect++;
        return this.#item("direct", number, "", `direct ${number} `.padEnd(this.#below(800), "y"));
      });
      const Entries = items.map(({ text }, i) => ({ Id: `${i}`, MessageBody: text }));
      direct.parseSend(Buffer.from(JSON.stringify({ QueueUrl, Entries })), true, "tester");
      direct.send(queue, true, {
        text: "",
        release: () => {
          for (const item of items) item.isConfirmed = true;
          this.#count.direct += items.length;
        },
      });
      if (this.#random() < 0.5) continue;
      const received = await receive(broker, queue, 10, 2_000);
      if (received.status !== "ok" || received.messages.length === 0) continue;
      const taken = received.messages.map(({ body, messageId, receiptHandle }) => {
        const item = this.#items.get(body) as Item;
        this.#saw(item, messageId, "received");
        return { item, receiptHandle };
      });
      const handles = taken.map(({ receiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle: receiptHandle }));
      direct.parseDelete(Buffer.from(JSON.stringify({ QueueUrl, Entries: handles })), true);
      const isTaken = direct.delete(queue, true, {
        text: "",
        release: () => {
          for (const { item } of taken) item.isAcked = true;
        },
      });
      if (isTaken) for (const { item } of taken) item.isAckAsked = true;
    }
  }
}
