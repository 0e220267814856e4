// What a load asks of a protocol: to publish so many messages, and to consume and acknowledge whatever comes. Drivers are
// raw sockets with pipelines and prepared bytes, so that a client costs as little as it can.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

export { STAMP_BYTES } from "../pacer.ts";

const RETRY_MS = 5;

export interface Target {
  readonly port: number;
  readonly queue: string;
  readonly bodyBytes: number;
  /** Messages unconfirmed at most, and those that a consumer may hold. */
  readonly inFlight: number;
  /** Of a FIFO queue: how many groups the messages are spread over. */
  readonly groupCount?: number;
  /** Many small requests instead of batches, where the protocol has batches: each message leaves in its own moment. */
  readonly isPaced: boolean;
}

export interface Producer {
  /** Sends so many messages now. With a stamp each of them begins with it. */
  send(count: number, stamp?: string): void;
}

export interface Consumed {
  /** Messages arrived; their acknowledgement is on its way. */
  delivered(count: number): void;
  /** Their acknowledgement is answered; where a protocol does not answer, it is sent. */
  settled(count: number): void;
  /** Of a paced run: what a body begins with. */
  stamp(text: string): void;
}

export interface Driver {
  /** Makes the queue. */
  prepare(target: Target): Promise<void>;
  /** Makes queues of these names, with as many requests at once as it likes. */
  prepareMany?(port: number, names: readonly string[]): Promise<void>;
  /** Connections that publish, if more than one do it quicker. */
  producerCount?(target: Target): number;
  producer(target: Target, confirmed: (count: number) => void): Promise<Producer>;
  /** Connections that consume, if more than one do it quicker. */
  consumerCount?(target: Target): number;
  /** Consumes from now on. @returns its sockets: one that is paused is a consumer that does not keep up */
  consumer(target: Target, on: Consumed): Promise<readonly Socket[]>;
  /** Whether a server that listens can be used, and has the queue if one is named; where it may listen before. */
  isReady?(port: number, queue?: string): Promise<boolean>;
  /** Messages that go out together: a window smaller than that cannot be filled. */
  unit(target: Target): number;
}

/** A window wide enough for several connections; a pace is kept by one. */
export const isWide = ({ inFlight, isPaced }: Target): boolean => inFlight > 64 && !isPaced;

/** Printable, and without the runs that a compressor lives on. */
export function bodyText(bytes: number): string {
  return randomBytes(bytes).toString("base64url").slice(0, bytes);
}

function fail(error: Error): never {
  throw error;
}

/** Connects as soon as somebody listens. */
export async function dial(
  port: number,
  onData: (bytes: Buffer) => void,
  onError: (error: Error) => void = fail,
): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    const isOpen = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    if (isOpen) {
      socket.on("error", onError);
      socket.on("data", onData);
      return socket;
    }
    if (tries === 12_000) throw new Error(`Nobody listens at port ${port}`);
    await new Promise((later) => setTimeout(later, RETRY_MS));
  }
}

/** Hands on whole pieces of a byte stream: `take` reads what is whole from `at` on, and tells where it stopped. */
export function gathered(take: (bytes: Buffer) => number): (data: Buffer) => void {
  let rest: Buffer | undefined;
  return (data) => {
    const bytes = rest === undefined ? data : Buffer.concat([rest, data]);
    const end = take(bytes);
    rest = end === bytes.byteLength ? undefined : bytes.subarray(end);
  };
}

const BLOCK_COUNT = 64;

/** Writes any number of messages with few copies: sixty-four different ones, all of one size, over and over. */
export class Repeater {
  readonly #messageBytes: number;
  readonly #block: Buffer;

  constructor(compose: () => Buffer) {
    this.#block = Buffer.concat(Array.from({ length: BLOCK_COUNT }, compose));
    this.#messageBytes = this.#block.byteLength / BLOCK_COUNT;
  }

  write(socket: Socket, count: number): void {
    let left = count;
    socket.cork();
    for (; left >= BLOCK_COUNT; left -= BLOCK_COUNT) socket.write(this.#block);
    if (left > 0) socket.write(this.#block.subarray(0, left * this.#messageBytes));
    socket.uncork();
  }
}

/** The decimal number that ends before `end`. */
export function decimal(bytes: Buffer, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + (bytes[at] as number) - 48;
  return value;
}

export const CR = 13;

/** As long as any of them takes that has ten million messages to read. */
const READY_SECONDS_MAX = 900;

/**
 * Resolves when the server can be used: it listens, and says so where listening is not enough.
 * @throws if it never can
 */
export async function ready(driver: Driver, port: number, queue?: string): Promise<void> {
  (await dial(port, () => {})).destroy();
  const untilMs = performance.now() + READY_SECONDS_MAX * 1000;
  while (driver.isReady !== undefined && !(await driver.isReady(port, queue))) {
    if (performance.now() > untilMs) throw new Error(`It cannot be used after ${READY_SECONDS_MAX} s`);
    await new Promise((later) => setTimeout(later, RETRY_MS));
  }
}
