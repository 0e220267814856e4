// A session's publisher: credit in bytes, confirmations that may stand for many frames, refusals said once.

import type { BrokerPublisher, PublishFailure, StreamBroker } from "../broker/stream-types.ts";
import type { Queue } from "../broker/types.ts";
import { STREAM_BUFFERED_BYTES_MAX, STREAM_PUBLISH_BYTES_MAX, STREAM_UNTOLD_BYTES_MAX } from "../limits.ts";
import { type Action, Rights } from "./caller.ts";
import type { Connection } from "./connection.ts";
import { CLOSE, ConnectionError, type ErrorName, RequestError, type Requests } from "./envelope.ts";
import { problemOf } from "./problems.ts";
import { ErrorCode } from "./schema.ts";
import type { Session } from "./session.ts";

const PRODUCER_BYTES = 16;
/** Of IDs and failures, what one Confirm tells; there may be a Publish more of them. */
const CONFIRM_BYTES_MAX = 256 * 1024;
const FAILURE_BYTES = 32; // about what a failure takes of it
/** How soon what was refused may be sent again: disk and memory are given back about so often. */
const RETRY_MS = 1_000;
export const PUBLISH_ACTIONS: readonly Action[] = ["SendMessage"];

/** A Confirm that is still to be said. */
interface Owed {
  number: number;
  sizeBytes: number; // of the Publishes that it frees
  readonly failures: PublishFailure[];
  readonly published: Uint8Array[];
  publishedBytes: number;
}

export class SessionPublisher {
  readonly number: number;
  readonly #session: Session;
  readonly #rights: Rights;
  #broker: BrokerPublisher | undefined;
  /** Everything up to here is on disk, or broke a rule. */
  #confirmed = 0;
  #owed: Owed[] = [];
  /** Run when nothing is owed any more. */
  #onTold: (() => void)[] = [];
  #isScheduled = false;
  #unconfirmedBytes = 0;
  #refusedFrom = Number.POSITIVE_INFINITY;

  /** Its caller may send no more, or there is no queue to send to. */
  #isOver = false;
  /** Its client has asked for its end: nothing more may be published. */
  isClosing = false;
  readonly #afterConfirmed: StreamBroker["afterConfirmed"];

  private constructor(session: Session, broker: StreamBroker, queue: Queue, number: number) {
    this.#afterConfirmed = (run) => broker.afterConfirmed(run);
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
    if (this.#isOver) return; // nothing of it is taken, and its client is about to be told from where on
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
    const owed = this.#lastOwed();
    owed.number = this.#confirmed;
    owed.sizeBytes += sizeBytes;
    for (const failure of failures) owed.failures.push(failure); // too many for arguments
    this.#session.failureCount += failures.length;
    if (published !== undefined) {
      owed.published.push(published);
      owed.publishedBytes += published.byteLength;
      this.#session.untoldBytes += published.byteLength;
    }
    const { connection } = this.#session;
    if (connection?.isBlocked === true && this.#session.untoldBytes > STREAM_UNTOLD_BYTES_MAX) {
      connection.end(
        CLOSE.tooManyRequests,
        `More than ${STREAM_UNTOLD_BYTES_MAX} bytes of message IDs wait to be told`,
      );
    }
    // One Confirm for everything that this commit has put on disk. It does not wait for what else goes out: its client sends
    // more meanwhile.
    this.#schedule(this.#afterConfirmed);
  }

  /** What a commit adds to; one that is long enough is followed by another. */
  #lastOwed(): Owed {
    const last = this.#owed.at(-1);
    if (last !== undefined && last.publishedBytes + last.failures.length * FAILURE_BYTES < CONFIRM_BYTES_MAX)
      return last;
    const owed: Owed = { number: 0, sizeBytes: 0, failures: [], published: [], publishedBytes: 0 };
    this.#owed.push(owed);
    return owed;
  }

  #schedule(later: (run: () => void) => void): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    later(() => {
      this.#isScheduled = false;
      this.#session.guard(() => {
        this.flush();
        this.#session.connection?.flush();
      });
    });
  }

  /**
   * Says what is confirmed, unless the connection takes nothing: then it is said when it does. What is long is said bit by
   * bit, so that nobody waits for it.
   */
  flush(): void {
    const { connection } = this.#session;
    if (connection === undefined || connection.isBlocked) return;
    const [owed] = this.#owed;
    if (owed !== undefined && connection.outboxBytes < STREAM_BUFFERED_BYTES_MAX) {
      this.#owed.shift();
      this.#say(owed, connection);
    }
    if (this.#owed.length > 0) this.#schedule(setImmediate);
    else for (const told of this.#onTold.splice(0)) told();
  }

  #say(owed: Owed, connection: Connection): void {
    const failures = owed.failures.map(({ number, reason }) => ({ number, ...problemOf(reason) }));
    const confirm = { publisher: this.number, number: owed.number, failures };
    const fields = owed.published.length === 0 ? undefined : Buffer.concat(owed.published);
    this.#forget(owed);
    this.#unconfirmedBytes -= owed.sizeBytes;
    connection.pushBytes(connection.codec.writeConfirm(confirm, fields));
  }

  /** Runs when everything that is confirmed has been told, or nobody is there to be told. */
  whenTold(run: () => void): void {
    if (this.#owed.length === 0 || this.#session.connection === undefined) run();
    else this.#onTold.push(run);
  }

  #onRefused(from: number, reason: "full" | "gap", first: number, sizeBytes: number): void {
    this.#unconfirmedBytes -= sizeBytes;
    if (first > this.#refusedFrom) return; // it was sent before its client could know
    this.#refusedFrom = from;
    const code = ErrorCode[reason === "full" ? "FULL" : "OUT_OF_ORDER"];
    const retryMs = reason === "full" ? RETRY_MS : 0;
    this.#session.connection?.push({ refused: { publisher: this.number, from, code, retryMs } });
  }

  /** Once; `done` is told, and its number is free, when everything that was published before is confirmed or refused. */
  close(done: () => void): void {
    this.isClosing = true;
    this.broker.close(() => {
      this.whenTold(() => {
        this.#leave();
        done();
      });
    });
  }

  /** Its number is free for another one. */
  #leave(): void {
    if (this.#session.publishers.get(this.number) === this) this.#session.publishers.delete(this.number);
  }

  #forget(owed: Owed): void {
    this.#session.failureCount -= owed.failures.length;
    this.#session.untoldBytes -= owed.publishedBytes;
  }

  #onEnded(): void {
    this.#isOver = true;
    this.whenTold(() => this.#tellEnd("QUEUE_DELETED"));
  }

  #tellEnd(code: ErrorName, message?: string): void {
    this.#leave();
    const refused = { publisher: this.number, from: this.#confirmed + 1, code: ErrorCode[code], retryMs: 0 };
    this.#session.connection?.push({ refused: { ...refused, ...(message && { message }) } });
  }

  /** Its caller may have lost the right to send: what came before is confirmed or refused, and nothing more is taken. */
  recheck(): void {
    if (this.#isOver || this.isClosing) return;
    const refusal = this.#rights.askAgain(PUBLISH_ACTIONS);
    if (refusal === undefined) return;
    this.#isOver = true;
    this.broker.close(() => {
      this.whenTold(() => {
        if (this.#session.publishers.get(this.number) === this) this.#tellEnd("ACCESS_DENIED", refusal);
      });
    });
  }

  /** The connection is gone: its client sends again what it was not told of. */
  detach(): void {
    for (const owed of this.#owed.splice(0)) {
      this.#forget(owed);
      this.#unconfirmedBytes -= owed.sizeBytes;
    }
    this.#refusedFrom = Number.POSITIVE_INFINITY;
    for (const told of this.#onTold.splice(0)) told();
    if (this.isClosing) this.#leave(); // what it waits for goes on
  }
}
