// The real broker and its streams in one process, on a disk in memory and in virtual time, with sockets made of nothing.
import type { OpenedBroker } from "../../src/broker/open.ts";
import { SteadyClock } from "../../src/broker/steady-clock.ts";
import type { Queue, QueueSettings } from "../../src/broker/types.ts";
import { parseQueueUrl } from "../../src/sqs/names.ts";
import type { Caller } from "../../src/stream/caller.ts";
import type { Subprotocol } from "../../src/stream/codec.ts";
import type { Connection } from "../../src/stream/connection.ts";
import { StreamHub } from "../../src/stream/hub.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { FakeDisk } from "./fake-disk.ts";
import { create, openOn, STANDARD } from "./open-broker.ts";

export const SEGMENT_BYTES = 8 * 1024 * 1024; // the largest messages fit several times

export const CALLER = { account: "000000000000", region: "us-east-1", senderId: "tester", limitName: "tester" };

// biome-ignore lint/suspicious/noExplicitAny: JSON of the wire
export type Json = any;

export class Rig {
  readonly opened: OpenedBroker;
  readonly hub: StreamHub;
  readonly faults: unknown[] = [];
  readonly #time: { ms: number };

  private constructor(opened: OpenedBroker, time: { ms: number }, sessionsPerCallerMax: number | undefined) {
    this.opened = opened;
    this.#time = time;
    this.hub = new StreamHub(opened.streams, {
      clock: opened.clock,
      serverVersion: "1.2.3",
      nameOf: (text, { account, region }) => parseQueueUrl(text, account, region),
      sessionsPerCallerMax,
      onFault: (error) => this.faults.push(error),
    });
  }

  static async open(options: { sessionsPerCallerMax?: number; disk?: FakeDisk } = {}): Promise<Rig> {
    const { sessionsPerCallerMax, disk = new FakeDisk() } = options;
    const time = { ms: 0 };
    const clock = new SteadyClock(
      () => 1_800_000_000_000,
      () => time.ms,
    );
    const opened = await openOn(disk, () => {}, { clock, segmentBytes: SEGMENT_BYTES });
    return new Rig(opened, time, sessionsPerCallerMax);
  }

  create(name: string, settings: Partial<QueueSettings> = {}): Promise<Queue> {
    return create(this.opened.broker, name, { ...STANDARD, ...settings });
  }

  /** What was asked is on disk, told, and on its way. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      await this.opened.flush();
      await new Promise((later) => setImmediate(later));
    }
  }

  /** Time passes; what comes due happens, at the end of it. */
  async pass(ms: number, queue?: Queue): Promise<void> {
    this.#time.ms += ms;
    this.hub.tick();
    if (queue !== undefined) this.opened.broker.counts(queue);
    await this.settle();
  }

  client(options: { subprotocol?: Subprotocol; origin?: string; caller?: Caller } = {}): RigClient {
    return new RigClient(this, options.subprotocol ?? "wasq.v1.json", options.origin, options.caller);
  }

  /** A client that has said Hello. */
  async connect(hello: object = {}, options: Parameters<Rig["client"]>[0] = {}): Promise<RigClient> {
    const client = this.client(options);
    await client.ask({ hello });
    return client;
  }
}

export class RigClient {
  readonly #rig: Rig;
  readonly #connection: Connection;
  readonly #isText: boolean;
  #received: Json[] = [];
  #nextId = 1;
  /** What of what is sent to it stays where it is. */
  bufferedBytes = 0;
  /** It reads nothing: all that is sent to it stays where it is. */
  isStuck = false;
  /** Whatever is sent to it throws. */
  isBroken = false;
  frameCount = 0;
  closed: number | undefined;
  welcome: Json;

  constructor(rig: Rig, subprotocol: Subprotocol, origin: string | undefined, caller: Caller = CALLER) {
    this.#rig = rig;
    this.#isText = subprotocol === "wasq.v1.json";
    const client = this;
    this.#connection = rig.hub.connect(
      {
        get bufferedBytes() {
          return client.bufferedBytes;
        },
        send: (bytes, isText) => this.#take(Buffer.from(bytes), isText),
        end: (code) => {
          this.closed = code;
        },
      },
      { subprotocol, caller, origin },
    );
  }

  #take(bytes: Buffer, isText: boolean): void {
    if (this.isBroken) throw new Error("a broken socket");
    if (isText !== this.#isText) throw new Error("of the other type");
    this.frameCount++;
    if (this.isStuck) this.bufferedBytes += bytes.byteLength;
    if (this.#isText) {
      for (const line of bytes.toString().split("\n")) this.#received.push(JSON.parse(line));
      return;
    }
    for (let at = 0; at < bytes.byteLength; ) {
      let size = 0;
      let shift = 0;
      for (;;) {
        const byte = bytes[at++] as number;
        size += (byte & 127) * 2 ** shift;
        shift += 7;
        if (byte < 128) break;
      }
      const envelope = EnvelopeType.decode(bytes.subarray(at, at + size));
      this.#received.push(EnvelopeType.toObject(envelope, { longs: Number, enums: String }));
      at += size;
    }
  }

  /** Raw bytes, as they are. */
  raw(bytes: Uint8Array | string, isText = typeof bytes === "string"): void {
    this.#connection.receive(typeof bytes === "string" ? Buffer.from(bytes) : bytes, isText);
  }

  send(...envelopes: object[]): void {
    if (this.#isText) this.raw(envelopes.map((each) => JSON.stringify(each)).join("\n"));
    else {
      const bytes = envelopes.map((each) => EnvelopeType.encodeDelimited(EnvelopeType.fromObject(each)).finish());
      this.raw(Buffer.concat(bytes));
    }
  }

  /** The answer's body, or the error's code as text. */
  async ask(envelope: object): Promise<Json> {
    const id = this.#nextId++;
    this.send({ id, ...envelope });
    await this.#rig.settle();
    const found = this.#received.findIndex((each) => each.id === id);
    if (found === -1) return undefined;
    const [{ id: _, ...answer }] = this.#received.splice(found, 1);
    if (answer.welcome !== undefined) this.welcome = answer.welcome;
    return answer.error === undefined ? Object.values(answer)[0] : answer.error.code;
  }

  /** What came by itself since this was asked last. */
  got(): Json[] {
    return this.#received.splice(0);
  }

  /** Bodies delivered since this was asked last, with their numbers: "1:a 2:b". */
  bodies(subscription = 1): string {
    const words: string[] = [];
    this.#received = this.#received.filter(({ deliver }) => {
      if (deliver?.subscription !== subscription) return true;
      deliver.messages.forEach((message: Json, i: number) => {
        words.push(`${deliver.first + i}:${message.text ?? Buffer.from(message.body)}`);
      });
      return false;
    });
    return words.join(" ");
  }

  /** What is buffered goes out. */
  drain(leftBytes = 0): void {
    this.bufferedBytes = leftBytes;
    this.#connection.drained();
  }

  /** A WebSocket ping, which the socket library answers. */
  ping(): void {
    this.#connection.pinged();
  }

  /** The connection breaks. */
  cut(): void {
    this.#connection.closed();
  }
}
