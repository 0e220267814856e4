// A session: the subscriptions, publishers and watches of one client, which outlive its connection for a while.

import type { StreamBroker } from "../broker/stream-types.ts";
import type { Queue, QueueName } from "../broker/types.ts";
import {
  STREAM_CREDIT_BYTES_MAX,
  STREAM_CREDIT_MESSAGES_MAX,
  STREAM_FAILURES_MAX,
  STREAM_PUBLISH_MESSAGES_MAX,
  STREAM_PUBLISHERS_MAX,
  STREAM_SUBSCRIPTIONS_MAX,
  STREAM_WATCHES_MAX,
} from "../limits.ts";
import type { Action, Caller } from "./caller.ts";
import type { Connection } from "./connection.ts";
import {
  CLOSE,
  ConnectionError,
  type CreditMessage,
  RequestError,
  type RequestName,
  type Requests,
} from "./envelope.ts";
import type { Pace } from "./pace.ts";
import { PUBLISH_ACTIONS, SessionPublisher } from "./publisher.ts";
import { SessionSubscription, SUBSCRIBE_ACTIONS } from "./subscription.ts";
import { SessionWatch, watchActions } from "./watch.ts";

export interface SessionHost {
  readonly pace: Pace;
  readonly broker: StreamBroker;
  nowMs(): number;
  /** What a name or URL means for the caller; undefined: nothing. */
  nameOf(text: string, caller: Caller): QueueName | undefined;
  /** The session's caller is let in no more. */
  lapsed(session: Session, reason: string): void;
  fault(error: unknown): void;
  /** The session has ended by itself. */
  left(session: Session): void;
  /** The session has something to say by itself from now on. */
  watching(session: Session): void;
}

export class Session {
  readonly token: string;
  /** Whoever came last; always the same one, perhaps with newer credentials. */
  caller: Caller;
  /** Its caller's, as it was counted. */
  readonly limitName: string;
  readonly graceMs: number;
  readonly heartbeatMs: number;
  readonly subscriptions = new Map<number, SessionSubscription>();
  readonly publishers = new Map<number, SessionPublisher>();
  readonly watches = new Map<number, SessionWatch>();
  /** undefined while the session waits for its client to come back. */
  connection: Connection | undefined;
  /** When the wait is over. */
  graceEndsMs = Number.POSITIVE_INFINITY;
  /** Requests that wait for the disk, each as often as it counts. */
  waitingCount = 0;
  /** Published messages that broke a rule, of which the client has not been told. */
  failureCount = 0;
  /** Of IDs of published messages, likewise. */
  untoldBytes = 0;
  isGoingAway = false;
  /** Bye has come: nothing is asked any more, and nobody comes back. It ends when all that was asked before is answered. */
  isLeaving = false;
  #onAnswered: (() => void) | undefined;
  #isEnded = false;
  readonly #host: SessionHost;

  constructor(host: SessionHost, token: string, caller: Caller, graceMs: number, heartbeatMs: number) {
    this.#host = host;
    this.token = token;
    this.caller = caller;
    this.limitName = caller.limitName;
    this.graceMs = graceMs;
    this.heartbeatMs = heartbeatMs;
  }

  // --- the connection ---------------------------------------------------------------------------------------------

  attach(connection: Connection): void {
    this.connection = connection;
    this.graceEndsMs = Number.POSITIVE_INFINITY;
  }

  /** After a resume, once the client has been told what it has. */
  resume(): void {
    for (const publisher of this.publishers.values()) publisher.flush();
    if (this.isGoingAway) return;
    for (const subscription of [...this.subscriptions.values()]) {
      if (this.connection?.isBlocked !== false) return;
      subscription.broker.resume();
    }
  }

  /** The connection takes nothing more for now. */
  pause(): void {
    for (const subscription of this.subscriptions.values()) subscription.broker.pause();
  }

  /** The connection is gone; its client may come back. */
  detach(): void {
    this.connection = undefined;
    if (this.graceMs === 0 || this.isLeaving || this.#isEnded) {
      this.end();
      return;
    }
    this.graceEndsMs = this.#host.nowMs() + this.graceMs;
    for (const subscription of [...this.subscriptions.values()]) subscription.broker.detach();
    for (const publisher of this.publishers.values()) publisher.detach();
  }

  /** What was out returns to its queues; what was published and waits for room in the log is still taken. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const subscription of this.subscriptions.values()) subscription.broker.close();
    for (const publisher of this.publishers.values()) publisher.broker.close();
    for (const watch of this.watches.values()) watch.close();
    this.subscriptions.clear();
    this.publishers.clear();
    this.watches.clear();
    this.#host.left(this);
  }

  /** Something is out, or waits for the disk. */
  get isBusy(): boolean {
    if (this.waitingCount > 0) return true;
    for (const { broker } of this.subscriptions.values()) if (broker.hasOutstanding) return true;
    for (const publisher of this.publishers.values()) if (publisher.isBusy) return true;
    return false;
  }

  /** Ends what its caller may have no more, or the session itself. */
  recheck(): void {
    const { standing } = this.caller;
    if (standing === undefined || this.#isEnded) return;
    const lapsed = standing.lapsed();
    if (lapsed !== undefined) {
      this.#host.lapsed(this, lapsed);
      return;
    }
    for (const subscription of [...this.subscriptions.values()]) subscription.recheck();
    for (const publisher of this.publishers.values()) publisher.recheck();
    for (const watch of [...this.watches.values()]) watch.recheck();
  }

  /** No deliveries any more, and nothing is opened. */
  goAway(): void {
    this.isGoingAway = true;
    this.pause();
  }

  /** Says what is to be said by now: watches, and that the server is alive. */
  tick(nowMs: number): void {
    for (const watch of this.watches.values()) watch.tick(nowMs);
    const { connection } = this;
    if (connection === undefined || this.heartbeatMs === 0 || connection.isBlocked) return;
    if (nowMs - connection.lastSentMs >= this.heartbeatMs)
      connection.push({ heartbeat: { timeMs: Math.floor(nowMs) } });
  }

  /** What a request names costs others their time, too. */
  spend(units: number): void {
    this.#host.pace.spend(units);
  }

  // --- requests ---------------------------------------------------------------------------------------------------

  #done(id: number): void {
    if (id !== 0) this.connection?.push({ id, done: {} });
  }

  #answer(id: number, name: string, body: object): void {
    if (id !== 0) this.connection?.push({ id, [name]: body });
  }

  /** Does what comes by itself, outside of any frame: whatever it throws ends this client's connection, and nothing else. */
  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    this.#host.fault(error);
    this.connection?.end(CLOSE.fault, "A fault of the server");
  }

  /** An answer that waits for the disk; one that may be long counts more than once. */
  later(id: number, name: string, weight = 1): (body: object | RequestError) => void {
    this.waitingCount += weight;
    return (body) => {
      this.waitingCount -= weight;
      this.guard(() => {
        if (body instanceof RequestError) this.connection?.fail(id, body);
        else this.#answer(id, name, body);
        if (this.waitingCount === 0) this.#onAnswered?.();
      });
    };
  }

  /** Whether there is a queue is told only to whoever may use it. */
  #queue(text: string, actions: readonly Action[]): Queue {
    if (this.isGoingAway) throw new RequestError("GOING_AWAY", "The server is about to stop");
    const name = this.#host.nameOf(text, this.caller);
    const queue = name && this.#host.broker.find(name);
    for (const action of name === undefined ? [] : actions) {
      const refusal = this.caller.standing?.refusal(action, name as QueueName, queue);
      if (refusal !== undefined) throw new RequestError("ACCESS_DENIED", refusal);
    }
    if (queue === undefined)
      throw new RequestError(
        "QUEUE_DOES_NOT_EXIST",
        `There is no queue ${JSON.stringify(text.slice(0, NAME_SHOWN_MAX))}`,
      );
    return queue;
  }

  /** @throws RequestError; ConnectionError when the connection cannot go on */
  request(id: number, name: string, body: unknown): void {
    const handle = (HANDLERS as Readonly<Record<string, Handler | undefined>>)[name];
    if (handle === undefined) throw new RequestError("UNKNOWN_REQUEST", "This server does not know the request");
    handle(this, id, body as never);
  }

  bye(id: number): void {
    this.isLeaving = true;
    const given = this.later(0, "done");
    for (const subscription of this.subscriptions.values()) subscription.broker.close();
    this.subscriptions.clear();
    for (const watch of this.watches.values()) watch.close();
    this.watches.clear();
    for (const publisher of this.publishers.values()) {
      if (publisher.isClosing) continue; // its own answer is waited for
      const told = this.later(0, "done");
      publisher.close(() => told({}));
    }
    this.#onAnswered = () => {
      this.#onAnswered = undefined;
      const { connection } = this;
      this.#done(id);
      this.end();
      connection?.end(CLOSE.bye, "");
    };
    given({}); // if nothing else waits
  }

  subscribe(id: number, request: Requests["subscribe"]): void {
    const { subscription: number } = request;
    checkNumber(number, this.subscriptions, STREAM_SUBSCRIPTIONS_MAX, "subscription");
    const queue = this.#queue(request.queue, SUBSCRIBE_ACTIONS);
    const subscription = SessionSubscription.open(this, this.#host.broker, queue, request);
    this.subscriptions.set(number, subscription);
    const { fifo } = queue.settings;
    const { visibilityMs, processingMs } = subscription.rules;
    this.#answer(id, "subscribed", { subscription: number, fifo, visibilityMs, processingMsMax: processingMs });
    if (this.connection?.isBlocked === true) subscription.broker.pause();
    if (request.credit !== null) subscription.setCredit(0, request.credit);
  }

  unsubscribe(id: number, { subscription: number }: Requests["unsubscribe"]): void {
    const subscription = this.subscription(number);
    this.subscriptions.delete(number);
    const answer = this.later(id, "done");
    subscription.broker.close(() => answer({}));
  }

  subscription(number: number): SessionSubscription {
    const found = this.subscriptions.get(number);
    if (found === undefined) throw new RequestError("NOT_FOUND", `There is no subscription ${number}`);
    return found;
  }

  openPublisher(id: number, request: Requests["openPublisher"]): void {
    const { publisher: number } = request;
    checkNumber(number, this.publishers, STREAM_PUBLISHERS_MAX, "publisher");
    const queue = this.#queue(request.queue, PUBLISH_ACTIONS);
    const publisher = SessionPublisher.open(this, this.#host.broker, queue, request);
    this.publishers.set(number, publisher);
    const answer = this.later(id, "publisherOpened");
    // What is said to be confirmed is on disk.
    this.#host.broker.whenFlushed(() => answer(publisher.opened(queue.settings.fifo)));
  }

  closePublisher(id: number, { publisher: number }: Requests["closePublisher"]): void {
    const publisher = this.publishers.get(number);
    if (publisher === undefined) throw new RequestError("NOT_FOUND", `There is no publisher ${number}`);
    if (publisher.isClosing) throw new RequestError("NOT_FOUND", `Publisher ${number} has been closed`);
    const answer = this.later(id, "done");
    publisher.close(() => answer({}));
  }

  publish(offset: number, sizeBytes: number): void {
    const head = this.#host.broker.publishHead(offset, sizeBytes);
    if (head === undefined) throw new ConnectionError(CLOSE.malformed, "A Publish cannot be read");
    const publisher = this.publishers.get(head.publisher);
    if (publisher === undefined) throw new RequestError("NOT_FOUND", `There is no publisher ${head.publisher}`);
    if (publisher.isClosing) throw new RequestError("NOT_FOUND", `Publisher ${head.publisher} has been closed`);
    if (!(head.first >= 1 && head.first + head.count <= Number.MAX_SAFE_INTEGER)) {
      throw new RequestError("INVALID_PARAMETER", `first is ${head.first}: a number from 1 on is needed`);
    }
    if (this.failureCount > STREAM_FAILURES_MAX) {
      throw new ConnectionError(
        CLOSE.tooManyRequests,
        `More than ${STREAM_FAILURES_MAX} messages that broke a rule wait to be told of`,
      );
    }
    if (head.count > STREAM_PUBLISH_MESSAGES_MAX) {
      throw new RequestError(
        "LIMIT_EXCEEDED",
        `A Publish has ${head.count} messages: at most ${STREAM_PUBLISH_MESSAGES_MAX} are allowed`,
      );
    }
    this.spend(head.count * UNITS_PER_MESSAGE);
    publisher.publish(offset, sizeBytes, head.first);
  }

  watch(id: number, request: Requests["watch"]): void {
    const { watch: number } = request;
    checkNumber(number, this.watches, STREAM_WATCHES_MAX, "watch");
    const queue = this.#queue(request.queue, watchActions(request));
    this.watches.set(number, SessionWatch.open(this, this.#host.broker, queue, request, this.#host.nowMs()));
    this.#host.watching(this);
    this.#answer(id, "watching", { watch: number, fifo: queue.settings.fifo });
  }

  unwatch(id: number, { watch: number }: Requests["unwatch"]): void {
    const watch = this.watches.get(number);
    if (watch === undefined) throw new RequestError("NOT_FOUND", `There is no watch ${number}`);
    this.watches.delete(number);
    watch.close();
    this.#done(id);
  }
}

type Handler = (session: Session, id: number, body: never) => void;

const HANDLERS: {
  readonly [Name in Exclude<RequestName, "hello">]: (session: Session, id: number, body: Requests[Name]) => void;
} = {
  bye: (session, id) => session.bye(id),
  subscribe: (session, id, body) => session.subscribe(id, body),
  unsubscribe: (session, id, body) => session.unsubscribe(id, body),
  credit: (session, id, body) => session.subscription(body.subscription).setCredit(id, body),
  ack: (session, id, body) => session.subscription(body.subscription).ack(id, body),
  nack: (session, id, body) => session.subscription(body.subscription).nack(id, body),
  touch: (session, id, body) => session.subscription(body.subscription).touch(id, body),
  deadLetter: (session, id, body) => session.subscription(body.subscription).deadLetter(id, body),
  openPublisher: (session, id, body) => session.openPublisher(id, body),
  closePublisher: (session, id, body) => session.closePublisher(id, body),
  watch: (session, id, body) => session.watch(id, body),
  unwatch: (session, id, body) => session.unwatch(id, body),
};

/** What a published message costs, in the pace's units, besides its bytes. */
const UNITS_PER_MESSAGE = 1 / 4;
/** Of a name that is wrong, what is repeated. */
const NAME_SHOWN_MAX = 200;

/** A number that a client gives to something it opens. */
function checkNumber(number: number, open: ReadonlyMap<number, unknown>, countMax: number, what: string): void {
  if (number === 0) throw new RequestError("INVALID_PARAMETER", `${what} is 0: any other number is needed`);
  if (open.has(number)) throw new RequestError("ALREADY_EXISTS", `There is a ${what} ${number} already`);
  if (open.size >= countMax) throw new RequestError("LIMIT_EXCEEDED", `A session has at most ${countMax} of ${what}`);
}

/** @throws RequestError for credit that makes no sense */
export function checkCredit({ messages, bytes }: CreditMessage): void {
  if (messages > STREAM_CREDIT_MESSAGES_MAX) {
    throw new RequestError(
      "INVALID_PARAMETER",
      `messages is ${messages}: at most ${STREAM_CREDIT_MESSAGES_MAX} are allowed`,
    );
  }
  if (bytes > STREAM_CREDIT_BYTES_MAX) {
    throw new RequestError("INVALID_PARAMETER", `bytes is ${bytes}: at most ${STREAM_CREDIT_BYTES_MAX} are allowed`);
  }
}
