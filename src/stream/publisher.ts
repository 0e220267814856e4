// A session's publisher: credit in bytes, confirmations that may stand for many frames, refusals said once.

import type { BrokerPublisher, PublishFailure, StreamBroker } from "../broker/stream-types.ts";
import type { Queue } from "../broker/types.ts";
import { STREAM_PUBLISH_BYTES_MAX } from "../limits.ts";
import { type Action, Rights } from "./caller.ts";
import { CLOSE, ConnectionError, type ErrorName, RequestError, type Requests } from "./envelope.ts";
import { problemOf } from "./problems.ts";
import { ErrorCode } from "./schema.ts";
import type { Session } from "./session.ts";

const PRODUCER_BYTES = 16;
/** How soon what was refused may be sent again: disk and memory are given back about so often. */
const RETRY_MS = 1_000;
export const PUBLISH_ACTIONS: readonly Action[] = ["SendMessage"];

export class SessionPublisher {
  readonly number: number;
  readonly #session: Session;
  readonly #rights: Rights;
  #broker: BrokerPublisher | undefined;
  /** Everything up to here is on disk, or broke a rule. */
  #confirmed = 0;
  #failures: PublishFailure[] = [];
  #published: Uint8Array[] = [];
  /** There is something to be said that has not been. */
  #isOwing = false;
  #isScheduled = false;
  #unconfirmedBytes = 0;
  #confirmedBytes = 0; // of those, what the next Confirm frees
  #refusedFrom = Number.POSITIVE_INFINITY;

  /** Its caller may send no more. */
  #isDenied = false;
  readonly #whenFlushed: StreamBroker["whenFlushed"];

  private constructor(session: Session, broker: StreamBroker, queue: Queue, number: number) {
    this.#whenFlushed = (done) => broker.whenFlushed(done);
    this.#session = session;
    this.#rights = new Rights(session, queue);
    this.number = number;
  }

  /** @throws RequestError */
  static open(
    session: Session,
    broker: StreamBroker,
    queue: Queue,
    request: Requests["openPublisher"],
  ): SessionPublisher {
    const { producerId } = request;
    // Absent, it is whatever protobufjs has for no bytes: only its length can be relied on.
    if (producerId.length !== 0 && producerId.length !== PRODUCER_BYTES) {
      throw new RequestError("INVALID_PARAMETER", `producer_id has ${producerId.length} bytes: 16 are needed`);
    }
    const publisher = new SessionPublisher(session, broker, queue, request.publisher);
    const options = {
      producerId: producerId.length === 0 ? undefined : producerId,
      wantsIds: request.wantsIds,
      senderId: session.caller.senderId,
    };
    publisher.#broker = broker.openPublisher(queue, options, {
      confirmed: (number, failures, published, sizeBytes) => {
        publisher.#onConfirmed(number, failures, published, sizeBytes);
      },
      failing: (count) => {
        session.failureCount += count;
      },
      refused: (from, reason, first, sizeBytes) => publisher.#onRefused(from, reason, first, sizeBytes),
      malformed: () => session.connection?.end(CLOSE.malformed, "A Publish cannot be read"),
      ended: () => publisher.#onEnded(),
    });
    if (publisher.#broker === undefined) throw new RequestError("FULL", "Memory is used up");
    // Another connection of the same producer may have got further than the disk.
    const { last } = publisher.broker;
    broker.whenFlushed(() => {
      if (last > publisher.#confirmed) publisher.#confirmed = last;
    });
    return publisher;
  }

  /** Something has not been confirmed. */
  get isBusy(): boolean {
    return this.#unconfirmedBytes > 0;
  }

  get broker(): BrokerPublisher {
    return this.#broker as BrokerPublisher; // open() has set it
  }

  opened(fifo: boolean): object {
    return { publisher: this.number, fifo, creditBytes: STREAM_PUBLISH_BYTES_MAX, confirmed: this.#confirmed };
  }

  resumed(): object {
    return { publisher: this.number, confirmed: this.#confirmed, creditBytes: STREAM_PUBLISH_BYTES_MAX };
  }

  /** @throws ConnectionError for more than the credit */
  publish(offset: number, sizeBytes: number, first: number): void {
    if (this.#isDenied) return; // nothing of it is taken, and its client is about to be told from where on
    if (this.#unconfirmedBytes > 0 && this.#unconfirmedBytes + sizeBytes > STREAM_PUBLISH_BYTES_MAX) {
      throw new ConnectionError(
        CLOSE.creditExceeded,
        `${this.#unconfirmedBytes + sizeBytes} bytes would be unconfirmed, ${STREAM_PUBLISH_BYTES_MAX} are the credit`,
      );
    }
    this.#unconfirmedBytes += sizeBytes;
    this.broker.publish(offset, sizeBytes, first);
  }

  #onConfirmed(
    number: number,
    failures: readonly PublishFailure[],
    published: Uint8Array | undefined,
    sizeBytes: number,
  ): void {
    if (sizeBytes > 0) this.#refusedFrom = Number.POSITIVE_INFINITY;
    if (number > this.#confirmed) this.#confirmed = number;
    for (const failure of failures) this.#failures.push(failure); // too many for arguments
    this.#session.failureCount += failures.length;
    if (published !== undefined) this.#published.push(published);
    this.#confirmedBytes += sizeBytes;
    this.#isOwing = true;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // One Confirm for everything that this commit has put on disk.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#session.guard(() => this.flush());
    });
  }

  /** Says what is confirmed, unless the connection takes nothing: then it is said when it does. */
  flush(): void {
    const { connection } = this.#session;
    if (!this.#isOwing || connection === undefined || connection.isBlocked) return;
    this.#isOwing = false;
    const failures = this.#failures.map(({ number, reason }) => ({ number, ...problemOf(reason) }));
    const confirm = { publisher: this.number, number: this.#confirmed, failures };
    const fields = this.#published.length === 0 ? undefined : Buffer.concat(this.#published);
    this.forget();
    this.#unconfirmedBytes -= this.#confirmedBytes;
    this.#confirmedBytes = 0;
    connection.pushBytes(connection.codec.writeConfirm(confirm, fields));
  }

  #onRefused(from: number, reason: "full" | "gap", first: number, sizeBytes: number): void {
    this.#unconfirmedBytes -= sizeBytes;
    if (first > this.#refusedFrom) return; // it was sent before its client could know
    this.#refusedFrom = from;
    const code = ErrorCode[reason === "full" ? "FULL" : "OUT_OF_ORDER"];
    const retryMs = reason === "full" ? RETRY_MS : 0;
    this.#session.connection?.push({ refused: { publisher: this.number, from, code, retryMs } });
  }

  /** What is still to be said of messages has been said, or is not said any more. */
  forget(): void {
    this.#session.failureCount -= this.#failures.length;
    this.#failures = [];
    this.#published = [];
  }

  #onEnded(): void {
    this.#tellEnd("QUEUE_DELETED");
  }

  #tellEnd(code: ErrorName, message?: string): void {
    this.forget();
    if (this.#session.publishers.get(this.number) === this) this.#session.publishers.delete(this.number);
    const refused = { publisher: this.number, from: this.#confirmed + 1, code: ErrorCode[code], retryMs: 0 };
    this.#session.connection?.push({ refused: { ...refused, ...(message && { message }) } });
  }

  /** Its caller may have lost the right to send: what was taken before is confirmed, and nothing more is taken. */
  recheck(): void {
    if (this.#isDenied) return;
    const refusal = this.#rights.askAgain(PUBLISH_ACTIONS);
    if (refusal === undefined) return;
    this.#isDenied = true;
    this.#whenFlushed(() => {
      if (this.#session.publishers.get(this.number) !== this) return; // closed meanwhile
      this.flush();
      this.broker.close();
      this.#tellEnd("ACCESS_DENIED", refusal);
    });
  }

  /** The connection is gone: its client sends again what it was not told of. */
  detach(): void {
    this.forget();
    this.#isOwing = false;
    this.#unconfirmedBytes -= this.#confirmedBytes;
    this.#confirmedBytes = 0;
    this.#refusedFrom = Number.POSITIVE_INFINITY;
  }
}
