// The connection and its session, kept up: Hello, Welcome, requests and their answers, reconnect and resume. What runs on
// it (subscriptions, publishers, watches) is told when it is up and when it is down, and opens itself again.
import { closedBy, codeOf, isFinal, isOfCredentials, WasqError } from "./errors.ts";
import type { ConnectionChange, Settings, UpgradeRequest } from "./options.ts";
import type { Limits, ResumedPublisher, ResumedSubscription, Welcome } from "./schema.ts";
import { presign } from "./sign.ts";
import { openSocket, type Socket } from "./socket.ts";
import { decodeFrame, type Envelope, encodeEnvelope, framesOf, type OutgoingEnvelope } from "./wire.ts";

/** Of one frame that several envelopes share; a single large one is sent as it is. */
const FRAME_BYTES = 1 << 20;
const RETRY_MS_FIRST = 200;
/** After a GoAway everybody comes again within this time. */
const AWAY_MS = 2_000;
const BYE_MS = 1_000;
const HELLO_ID = 1;
const SIGNED_REGION = "us-east-1";
const REQUEST_ID_MAX = 0xffff_ffff;
/** Silence of so many heartbeats is the connection's end. */
const HEARTBEATS_MISSED = 2.5;

export interface Session {
  /** The session goes on: what it had is below. Otherwise it is new, and what was out is gone. */
  readonly resumed: boolean;
  readonly limits: Limits | undefined;
  readonly subscriptions: ReadonlyMap<number, ResumedSubscription>;
  readonly publishers: ReadonlyMap<number, ResumedPublisher>;
}

/** What runs on the link. */
export interface Member {
  up(session: Session): void;
  /** The connection broke; requests that were waiting have failed already. */
  down(): void;
  /** What the server pushed for this one. */
  receive(envelope: Envelope): void;
  /** The server stops: begin nothing. Resolves when nothing is out any more. */
  goAway(): Promise<void>;
  /** The client has ended. */
  end(error: WasqError): void;
}

export type Kind = "subscription" | "publisher" | "watch";

type Answered = { resolve(envelope: Envelope): void; reject(error: WasqError): void };

export class Link {
  readonly #settings: Settings;
  readonly #members: Readonly<Record<Kind, Map<number, Member>>> = {
    subscription: new Map(),
    publisher: new Map(),
    watch: new Map(),
  };
  readonly #numbers: Record<Kind, number> = { subscription: 0, publisher: 0, watch: 0 };
  readonly #requests = new Map<number, Answered>();
  readonly #beforeFlush = new Set<() => void>();
  #outbox: Uint8Array[] = [];
  #flushIsDue = false;
  #requestId = HELLO_ID;
  #socket: Socket | undefined;
  #session: Session | undefined; // while connected
  #token = "";
  #attempts = 0;
  #wasConnected = false;
  #isGoingAway = false;
  #ended: WasqError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined; // of the attempt, or until the next one
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #heardMs = 0;
  #settleFirst: { resolve(): void; reject(error: WasqError): void } | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Resolves with the first Welcome. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settleFirst = { resolve, reject };
      void this.#attempt();
    });
  }

  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** What ended it for good. */
  get ended(): WasqError | undefined {
    return this.#ended;
  }

  members(): Member[] {
    return Object.values(this.#members).flatMap((each) => [...each.values()]);
  }

  /** Takes a member in and gives it its number; if the link is up, it is told so at once. @throws WasqError CLOSED */
  add(kind: Kind, make: (number: number) => Member): void {
    if (this.#ended !== undefined) throw this.#ended;
    this.#numbers[kind] += 1;
    const number = this.#numbers[kind];
    const member = make(number);
    this.#members[kind].set(number, member);
    // To a session that is ending nothing is added: it comes up with the next one.
    if (this.#session !== undefined && !this.#isGoingAway) {
      member.up({ ...this.#session, resumed: false, subscriptions: new Map(), publishers: new Map() });
    }
  }

  remove(kind: Kind, number: number): void {
    this.#members[kind].delete(number);
  }

  /** Sends without an answer, with the next flush. Without a connection it is lost: members begin anew when it is up. */
  push(envelope: OutgoingEnvelope): number {
    if (this.#session === undefined) return 0;
    const bytes = encodeEnvelope(envelope);
    this.#outbox.push(bytes);
    this.#flushSoon();
    return bytes.length;
  }

  /** Sends a request. Rejects with what the server's Error says, or CONNECTION_LOST: then nobody knows whether it was done. */
  request(envelope: OutgoingEnvelope): Promise<Envelope> {
    return new Promise((resolve, reject) => {
      if (this.#session === undefined) {
        reject(this.#ended ?? new WasqError("CONNECTION_LOST", "there is no connection"));
        return;
      }
      this.#requestId = this.#requestId === REQUEST_ID_MAX ? HELLO_ID + 1 : this.#requestId + 1;
      this.#requests.set(this.#requestId, { resolve, reject });
      this.push({ ...envelope, id: this.#requestId });
    });
  }

  /** Calls `work` before the next flush: what many callers ask for in one go becomes one envelope. */
  beforeFlush(work: () => void): void {
    this.#beforeFlush.add(work);
    this.#flushSoon();
  }

  /** Says Bye, if there is somebody to say it to, and ends everything. */
  async bye(error: WasqError): Promise<void> {
    if (this.#session !== undefined) {
      this.#flush(); // what was settled goes before it
      const done = this.request({ bye: {} });
      this.#flush();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, BYE_MS);
      });
      await Promise.race([done, late]).catch(() => {});
      clearTimeout(timer);
    }
    this.end(error, undefined);
  }

  /** Ends everything at once. `reason` is told as what ended the client; undefined: it was asked to. */
  end(error: WasqError, reason: WasqError | undefined = error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#disconnect();
    for (const member of this.members()) member.end(error);
    for (const members of Object.values(this.#members)) members.clear();
    this.#settleFirst?.reject(error);
    this.#settleFirst = undefined;
    this.#tell({ kind: "closed", error: reason });
  }

  // --- one connection ---

  async #attempt(): Promise<void> {
    let isCurrent = true;
    const fail = (error: WasqError): void => {
      if (!isCurrent) return;
      isCurrent = false;
      this.#lost(error);
    };
    this.#timer = setTimeout(() => {
      fail(new WasqError("TIMEOUT", `no Welcome from ${this.#place()} in ${this.#settings.connectTimeoutMs} ms`));
    }, this.#settings.connectTimeoutMs);
    try {
      const ticket = (await this.#settings.ticket?.()) ?? "";
      const upgrade = await this.#authorized();
      if (!isCurrent || this.#ended !== undefined) return;
      let isOpen = false;
      const socket = openSocket(this.#settings, upgrade.url ?? this.#settings.url, upgrade.headers ?? {}, {
        onOpen: () => {
          isOpen = true;
          socket.send(this.#hello(ticket));
        },
        onFrame: (frame) => this.#received(frame),
        onClose: (code, reason) => {
          const failed = new WasqError("CONNECT_FAILED", `${this.#place()} cannot be reached, or refuses the upgrade`);
          fail(isOpen ? closedBy(code, reason) : failed);
        },
      });
      this.#socket = socket;
    } catch (cause) {
      fail(
        cause instanceof WasqError
          ? cause
          : new WasqError("CONNECT_FAILED", `Cannot connect to ${this.#place()}: ${String(cause)}`, { cause }),
      );
    }
  }

  async #authorized(): Promise<UpgradeRequest> {
    const { url, credentials, authorize, region = SIGNED_REGION } = this.#settings;
    if (credentials === undefined) return (await authorize?.({ url })) ?? {};
    const known = typeof credentials === "function" ? await credentials() : credentials;
    return { url: await presign(url, known, region, Date.now()) };
  }

  /** Without the query: a signature may be in it. */
  #place(): string {
    return this.#settings.url.replace(/\?.*$/, "");
  }

  #hello(ticket: string): Uint8Array {
    return encodeEnvelope({
      id: HELLO_ID,
      hello: {
        clientName: this.#settings.clientName ?? "wasq-client",
        heartbeatMs: this.#settings.heartbeatMs,
        graceMs: this.#settings.graceMs,
        sessionToken: this.#token,
        ticket,
      },
    });
  }

  #received(frame: Uint8Array): void {
    this.#heardMs = performance.now();
    let envelopes: Envelope[];
    try {
      envelopes = decodeFrame(frame);
    } catch (cause) {
      this.#lost(new WasqError("PROTOCOL_ERROR", "a frame of the server cannot be read", { cause }));
      return;
    }
    for (const envelope of envelopes) this.#dispatch(envelope);
  }

  #dispatch(envelope: Envelope): void {
    if (this.#socket === undefined) return; // an envelope before this one ended it
    if (envelope.id === HELLO_ID) this.#greeted(envelope);
    else if (envelope.id !== 0) this.#answered(envelope);
    else if (envelope.deliver) this.#members.subscription.get(envelope.deliver.subscription)?.receive(envelope);
    else if (envelope.confirm) this.#members.publisher.get(envelope.confirm.publisher)?.receive(envelope);
    else if (envelope.revoke) this.#members.subscription.get(envelope.revoke.subscription)?.receive(envelope);
    else if (envelope.refused) this.#members.publisher.get(envelope.refused.publisher)?.receive(envelope);
    else if (envelope.watched) this.#members.watch.get(envelope.watched.watch)?.receive(envelope);
    else if (envelope.subscriptionEnded) {
      this.#members.subscription.get(envelope.subscriptionEnded.subscription)?.receive(envelope);
    } else if (envelope.goAway) this.#goAway(envelope.goAway.deadlineMs, envelope.goAway.reason);
    // Heartbeats were heard. An Error with id 0 is about something that has ended meanwhile.
  }

  #greeted(envelope: Envelope): void {
    if (envelope.welcome !== undefined) {
      this.#welcomed(envelope.welcome);
      return;
    }
    const text = envelope.error?.message ?? "the server answered Hello with something else than Welcome";
    const code = envelope.error === undefined ? "PROTOCOL_ERROR" : codeOf(envelope.error.code);
    this.#lost(new WasqError(code, text));
  }

  #welcomed(welcome: Welcome): void {
    clearTimeout(this.#timer);
    this.#token = welcome.sessionToken;
    this.#attempts = 0;
    this.#wasConnected = true;
    this.#session = {
      resumed: welcome.resumed,
      limits: welcome.limits,
      subscriptions: new Map(welcome.subscriptions.map((each) => [each.subscription, each])),
      publishers: new Map(welcome.publishers.map((each) => [each.publisher, each])),
    };
    this.#watch(welcome.heartbeatMs);
    this.#dropOrphans(this.#session);
    for (const member of this.members()) member.up(this.#session);
    this.#tell({ kind: "connected", resumed: welcome.resumed, serverVersion: welcome.serverVersion });
    this.#settleFirst?.resolve();
    this.#settleFirst = undefined;
  }

  /** What was closed while there was no connection is closed now. */
  #dropOrphans(session: Session): void {
    for (const subscription of session.subscriptions.keys()) {
      if (!this.#members.subscription.has(subscription)) this.push({ unsubscribe: { subscription } });
    }
    for (const publisher of session.publishers.keys()) {
      if (!this.#members.publisher.has(publisher)) this.push({ closePublisher: { publisher } });
    }
  }

  #watch(heartbeatMs: number): void {
    if (heartbeatMs === 0) return;
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#heardMs < heartbeatMs * HEARTBEATS_MISSED) return;
      this.#lost(new WasqError("CONNECTION_LOST", "the server has said nothing for too long"));
    }, heartbeatMs / 2);
  }

  #answered(envelope: Envelope): void {
    const request = this.#requests.get(envelope.id);
    if (request === undefined) return;
    this.#requests.delete(envelope.id);
    if (envelope.error === undefined) request.resolve(envelope);
    else request.reject(new WasqError(codeOf(envelope.error.code), envelope.error.message || envelope.error.code));
  }

  #goAway(deadlineMs: number, reason: string): void {
    if (this.#isGoingAway) return;
    this.#isGoingAway = true;
    this.#tell({ kind: "going-away", deadlineMs, reason });
    const socket = this.#socket;
    const settled = Promise.all(this.members().map((member) => member.goAway()));
    void settled.then(async () => {
      if (this.#socket !== socket || this.#session === undefined) return;
      await this.request({ bye: {} }).catch(() => {});
      if (this.#socket !== socket) return;
      this.#token = ""; // that session is over
      this.#lost(closedBy(1001, reason));
    });
    // Otherwise the server closes at its deadline.
  }

  /** The connection is over, or never came about. */
  #lost(error: WasqError): void {
    if (this.#ended !== undefined) return;
    const wasAway = this.#isGoingAway || error.closeCode === 4410;
    this.#disconnect();
    const { ticket, authorize, credentials } = this.#settings;
    const hasNewOnes = authorize !== undefined || typeof credentials === "function";
    const canBeCured =
      ticket !== undefined || (error.closeCode === 4407 && hasNewOnes) || !isOfCredentials(error.closeCode);
    const mayRetry = this.#wasConnected ? this.#settings.reconnect !== false : this.#settings.waitForServer === true;
    if (!mayRetry || !canBeCured || isFinal(error.closeCode ?? 0) || error.code === "PROTOCOL_ERROR") {
      this.end(error);
      return;
    }
    const retryMs = wasAway ? Math.random() * AWAY_MS : backoffMs(this.#attempts, this.#settings.retryMsMax);
    this.#attempts += 1;
    this.#timer = setTimeout(() => void this.#attempt(), retryMs);
    this.#tell({ kind: "disconnected", error, retryMs });
  }

  #disconnect(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#watchdog);
    this.#socket?.drop();
    this.#socket = undefined;
    const wasUp = this.#session !== undefined;
    this.#session = undefined;
    this.#isGoingAway = false;
    this.#outbox = [];
    const lost = new WasqError("CONNECTION_LOST", "the connection ended before the answer came");
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const request of requests) request.reject(lost);
    if (wasUp) for (const member of this.members()) member.down();
  }

  // --- sending ---

  #flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    soon(() => this.#flush());
  }

  #flush(): void {
    this.#flushIsDue = true; // what is pushed meanwhile goes along
    for (const work of this.#beforeFlush) {
      this.#beforeFlush.delete(work);
      work();
    }
    this.#flushIsDue = false;
    const outbox = this.#outbox;
    this.#outbox = [];
    for (const frame of framesOf(outbox, FRAME_BYTES)) this.#socket?.send(frame);
  }

  #tell(change: ConnectionChange): void {
    const { onChange } = this.#settings;
    if (onChange !== undefined) queueMicrotask(() => onChange(change));
  }
}

/** Half of it fixed, half random: soon enough for the grace period, and not everybody at once. */
export function backoffMs(attempts: number, msMax: number, random: () => number = Math.random): number {
  const ms = Math.min(RETRY_MS_FIRST * 2 ** Math.min(attempts, 20), msMax);
  return ms / 2 + (ms / 2) * random();
}

/** Runs after everything that is ready to run, so that those who go on after one answer share a frame. */
const soon: (work: () => void) => void =
  typeof setImmediate === "function" ? (work) => void setImmediate(work) : soonInBrowser();

/** A browser's shortest timer is 4 ms; a message to oneself comes at once. */
function soonInBrowser(): (work: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.addEventListener("message", () => waiting.shift()?.());
  port1.start();
  return (work) => {
    waiting.push(work);
    port2.postMessage(undefined);
  };
}
