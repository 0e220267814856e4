// All sessions: found again by their tokens, ended when nobody comes back for them. Time is the clock's; somebody calls
// tick() a few times a second.
import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { StreamBroker } from "../broker/stream-types.ts";
import type { QueueName } from "../broker/types.ts";
import {
  MESSAGE_BYTES_MAX,
  STREAM_BATCH_MESSAGES_MAX,
  STREAM_CREDIT_BYTES_MAX,
  STREAM_CREDIT_MESSAGES_MAX,
  STREAM_FRAME_BYTES_MAX,
  STREAM_GROUP_IN_FLIGHT_MAX,
  STREAM_PUBLISHERS_MAX,
  STREAM_SPAN_MAX,
  STREAM_STALLED_MS_MAX,
  STREAM_SUBSCRIPTIONS_MAX,
  STREAM_WATCHES_MAX,
} from "../limits.ts";
import type { Caller } from "./caller.ts";
import { codecOf, type Subprotocol } from "./codec.ts";
import { Connection, type ConnectionHost, type StreamSocket } from "./connection.ts";
import { CLOSE, ConnectionError, type Requests } from "./envelope.ts";
import { Pace } from "./pace.ts";
import { Session, type SessionHost } from "./session.ts";
import { TICKET_MS, Tickets } from "./tickets.ts";

const HELLO_MS_MAX = 10_000;
const GRACE_MS = 5_000;
const GRACE_MS_MAX = 60_000;
const HEARTBEAT_MS_MIN = 1_000;
const HEARTBEAT_MS_MAX = 60_000;
/** How long a stop waits for what is out, and how often it looks. */
const STOPPING_MS_MAX = 3_000;
const STOPPING_STEP_MS = 50;
/** Sessions without a connection: beyond it the one that has waited longest ends. */
const WAITING_MAX = 100_000;
/** In so many ticks every session is looked at once. */
const RECHECK_TICKS = 20;

const LIMITS = {
  frameBytes: STREAM_FRAME_BYTES_MAX,
  messageBytes: MESSAGE_BYTES_MAX,
  subscriptions: STREAM_SUBSCRIPTIONS_MAX,
  publishers: STREAM_PUBLISHERS_MAX,
  watches: STREAM_WATCHES_MAX,
  creditMessages: STREAM_CREDIT_MESSAGES_MAX,
  creditBytes: STREAM_CREDIT_BYTES_MAX,
  batchMessages: STREAM_BATCH_MESSAGES_MAX,
  outstandingSpan: STREAM_SPAN_MAX,
  groupInFlight: STREAM_GROUP_IN_FLIGHT_MAX,
};

export interface HubOptions {
  readonly clock: Clock;
  readonly serverVersion: string;
  /** What a name or URL means for that caller, whether there is such a queue or not; undefined: nothing. */
  readonly nameOf: (text: string, caller: Caller) => QueueName | undefined;
  /** Sessions at once with the same limitName, those that wait for their client included; undefined: any number. */
  readonly sessionsPerCallerMax?: number | undefined;
  readonly onFault: (error: unknown) => void;
}

export class StreamHub implements ConnectionHost, SessionHost {
  readonly broker: StreamBroker;
  readonly pace = new Pace();
  readonly #options: HubOptions;
  readonly #tickets = new Tickets();
  readonly #connections = new Set<Connection>();
  readonly #silent = new Set<Connection>(); // no Hello yet
  readonly #blocked = new Set<Connection>();
  readonly #sessions = new Map<string, Session>(); // by token
  readonly #waiting = new Set<Session>(); // without a connection, longest first
  readonly #counts = new Map<string, number>(); // of sessions, by limitName
  /** The sessions that have something to say by themselves: heartbeats, watches. */
  readonly #speaking = new Set<Session>();
  #rechecking = this.#sessions.values();
  #goingAwayMs = Number.POSITIVE_INFINITY;
  #reason = "";

  constructor(broker: StreamBroker, options: HubOptions) {
    this.broker = broker;
    this.#options = options;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }
  get sessionCount(): number {
    return this.#sessions.size;
  }
  /** Of them, those that wait for their client to come back. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  nowMs(): number {
    return this.#options.clock.nowMs();
  }
  nameOf(text: string, caller: Caller): QueueName | undefined {
    return this.#options.nameOf(text, caller);
  }
  takeFrame(bytes: Uint8Array): boolean {
    return this.broker.takeFrame(bytes);
  }
  fault(error: unknown): void {
    this.#options.onFault(error);
  }

  // --- connections --------------------------------------------------------------------------------------------------

  connect(
    socket: StreamSocket,
    client: {
      readonly subprotocol: Subprotocol;
      readonly caller: Caller | undefined;
      readonly origin: string | undefined;
    },
  ): Connection {
    const connection = new Connection(socket, codecOf(client.subprotocol), client.caller, client.origin, this);
    this.#connections.add(connection);
    this.#silent.add(connection);
    return connection;
  }

  issueTicket(origin: string, caller: Caller): { readonly ticket: string; readonly expiresInSeconds: number } {
    return { ticket: this.#tickets.issue(origin, caller, this.nowMs()), expiresInSeconds: TICKET_MS / 1000 };
  }

  /** @throws ConnectionError when the client is not let in */
  hello(connection: Connection, id: number, hello: Requests["hello"]): Session {
    const caller = this.#callerOf(connection, hello.ticket);
    this.#silent.delete(connection);
    const known = hello.sessionToken === "" ? undefined : this.#sessions.get(hello.sessionToken);
    // A token alone is not enough where one has to be somebody: another one gets a session of his own.
    if (known !== undefined && !known.isLeaving && known.caller.standing?.identity === caller.standing?.identity) {
      known.connection?.end(CLOSE.takenOver, "Another connection took the session over");
      if (caller.standing !== undefined) known.caller = caller; // his credentials may be newer
      known.recheck(); // what he may have no more is not told as his own
      // A session without a grace period has ended with its connection.
      if (this.#sessions.has(known.token)) return this.#resume(known, connection, id);
    }
    this.#count(caller.limitName);
    const graceMs = Math.min(hello.graceMs ?? GRACE_MS, GRACE_MS_MAX);
    const wanted = hello.heartbeatMs;
    const heartbeatMs = wanted === 0 ? 0 : Math.min(Math.max(wanted, HEARTBEAT_MS_MIN), HEARTBEAT_MS_MAX);
    const session = new Session(this, `ses_${randomBytes(18).toString("base64url")}`, caller, graceMs, heartbeatMs);
    this.#sessions.set(session.token, session);
    session.attach(connection);
    caller.standing?.session("opened", connection.codec.subprotocol);
    if (heartbeatMs > 0) this.#speaking.add(session);
    this.#welcome(session, connection, id, { resumed: false });
    this.#warn(session);
    return session;
  }

  #callerOf(connection: Connection, ticket: string): Caller {
    if (ticket === "") {
      const { caller, origin } = connection;
      // Any page can open a WebSocket, but none can sign: an upgrade that is signed needs no ticket.
      if (caller !== undefined && (origin === undefined || caller.standing !== undefined)) return caller;
      throw new ConnectionError(CLOSE.ticket, "A page needs a ticket");
    }
    const caller = this.#tickets.redeem(ticket, connection.origin, this.nowMs());
    if (caller === undefined)
      throw new ConnectionError(CLOSE.ticket, "The ticket is unknown, used, old, or not for this origin");
    const lapsed = caller.standing?.lapsed();
    if (lapsed !== undefined) throw new ConnectionError(CLOSE.lapsed, closeReason(lapsed));
    return caller;
  }

  #resume(session: Session, connection: Connection, id: number): Session {
    this.#waiting.delete(session);
    connection.session = session;
    session.attach(connection);
    session.caller.standing?.session("resumed", connection.codec.subprotocol);
    this.#welcome(session, connection, id, {
      resumed: true,
      subscriptions: [...session.subscriptions.values()].map(({ number, broker }) => ({
        subscription: number,
        outstanding: broker.outstanding().map(({ first, last }) => (first === last ? { first } : { first, last })),
        last: broker.last,
      })),
      publishers: [...session.publishers.values()].map((publisher) => publisher.resumed()),
    });
    session.resume();
    this.#warn(session);
    return session;
  }

  #welcome(session: Session, connection: Connection, id: number, rest: object): void {
    const { token, heartbeatMs, graceMs } = session;
    const welcome = {
      sessionToken: token,
      serverName: "wasq",
      serverVersion: this.#options.serverVersion,
      timeMs: Math.floor(this.nowMs()),
      heartbeatMs,
      graceMs,
      limits: LIMITS,
      ...rest,
    };
    connection.push({ id, welcome });
  }

  /** A connection is gone, by itself or closed by us. */
  ended(connection: Connection): void {
    this.#connections.delete(connection);
    this.#silent.delete(connection);
    this.#blocked.delete(connection);
    const { session } = connection;
    if (session === undefined || session.connection !== connection) return;
    if (this.#sessions.get(session.token) === session) this.#waiting.add(session);
    session.detach();
    if (this.#waiting.size <= WAITING_MAX) return;
    const [longest] = this.#waiting;
    longest?.end();
  }

  blocked(connection: Connection, isBlocked: boolean): void {
    if (isBlocked) this.#blocked.add(connection);
    else this.#blocked.delete(connection);
  }

  /** @throws ConnectionError when there are as many as there may be */
  #count(limitName: string): void {
    const count = this.#counts.get(limitName) ?? 0;
    const { sessionsPerCallerMax: max } = this.#options;
    if (max !== undefined && count >= max) {
      throw new ConnectionError(CLOSE.tooManyRequests, `There are ${max} sessions of this caller already`);
    }
    this.#counts.set(limitName, count + 1);
  }

  /** A session has ended by itself. */
  left(session: Session): void {
    const count = (this.#counts.get(session.limitName) ?? 0) - 1;
    if (count > 0) this.#counts.set(session.limitName, count);
    else this.#counts.delete(session.limitName);
    this.#sessions.delete(session.token);
    this.#waiting.delete(session);
    this.#speaking.delete(session);
  }

  /** The session has a watch. */
  watching(session: Session): void {
    this.#speaking.add(session);
  }

  // --- who may ------------------------------------------------------------------------------------------------------

  /** Keys or policies have changed: whoever may no longer what he does is stopped now. */
  recheck(): void {
    for (const session of [...this.#sessions.values()]) session.recheck();
  }

  /** Queues' policies change, and so does what time it is: every session is looked at about once a second. */
  #recheckSome(): void {
    for (let count = Math.ceil(this.#sessions.size / RECHECK_TICKS); count > 0; count--) {
      const next = this.#rechecking.next();
      if (next.done === true) {
        this.#rechecking = this.#sessions.values();
        return;
      }
      next.value.recheck();
    }
  }

  /** The session's caller is let in no more: what is out goes back. */
  lapsed(session: Session, reason: string): void {
    const { connection } = session;
    session.end();
    session.caller.standing?.session("ended", connection?.codec.subprotocol, reason);
    connection?.end(CLOSE.lapsed, closeReason(reason));
  }

  // --- time ---------------------------------------------------------------------------------------------------------

  tick(): void {
    const nowMs = this.nowMs();
    this.#recheckSome();
    for (const session of [...this.#waiting]) if (session.graceEndsMs <= nowMs) session.end();
    for (const session of this.#speaking) session.tick(nowMs);
    for (const connection of [...this.#silent]) {
      if (nowMs - connection.openedMs >= HELLO_MS_MAX) connection.end(CLOSE.helloLate, "No Hello came");
    }
    for (const connection of [...this.#blocked]) {
      if (nowMs - connection.progressMs >= STREAM_STALLED_MS_MAX) {
        connection.end(CLOSE.stalled, "What was sent is not read");
      }
    }
    if (nowMs >= this.#goingAwayMs) this.closeAll();
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  #warn(session: Session): void {
    if (this.#goingAwayMs === Number.POSITIVE_INFINITY) return;
    session.goAway();
    const deadlineMs = Math.max(Math.ceil(this.#goingAwayMs - this.nowMs()), 0);
    session.connection?.push({ goAway: { deadlineMs, reason: this.#reason } });
  }

  /** No deliveries from now on; connections are closed at the deadline, or by their clients. */
  goAway(deadlineMs: number, reason: string): void {
    this.#goingAwayMs = this.nowMs() + deadlineMs;
    this.#reason = reason;
    for (const session of this.#sessions.values()) this.#warn(session);
  }

  /** Warns everybody, lets what is out be settled for a moment, then closes every connection. */
  async stop(reason: string): Promise<void> {
    if (this.#connections.size === 0) return;
    this.goAway(STOPPING_MS_MAX, reason);
    const endMs = this.nowMs() + STOPPING_MS_MAX;
    do await new Promise((later) => setTimeout(later, STOPPING_STEP_MS));
    while (this.#isBusy() && this.nowMs() < endMs);
    this.closeAll();
    await new Promise((later) => setTimeout(later, STOPPING_STEP_MS));
  }

  /** Somebody who is connected has something out, or waits for the disk. */
  #isBusy(): boolean {
    for (const session of this.#sessions.values()) if (session.connection !== undefined && session.isBusy) return true;
    return false;
  }

  /** Ends every session, so that nobody comes back for one, and closes every connection. */
  endAll(reason: string): void {
    this.#reason = reason;
    this.#tickets.clear();
    for (const session of [...this.#sessions.values()]) session.end();
    this.closeAll();
  }

  /** Closes every connection; what was out stays so until its visibility timeout is over. */
  closeAll(): void {
    for (const connection of [...this.#connections]) connection.end(CLOSE.goingAway, this.#reason);
  }
}

/** A close frame has room for 123 bytes. */
function closeReason(text: string): string {
  return text.slice(0, 120).replaceAll(/[^\x20-\x7e]/g, "?");
}
