// One delivered message, as its consumer has it.
import { WasqError } from "./errors.ts";
import { milliseconds } from "./options.ts";
import type { Attribute, Message as WireMessage } from "./schema.ts";

export interface MessageAttribute {
  /** String, Number or Binary, and a label of the sender's: "Number.int". */
  readonly type: string;
  /** Text for String and Number, bytes for Binary. */
  readonly value: string | Uint8Array;
}

export interface NackOptions {
  /** How long until the message is visible again, in ms: to 43,200,000. Default 0. */
  readonly delayMs?: number;
  /** For those who watch the queue; at most 256 characters. */
  readonly reason?: string;
}

/** @internal */
export type Settlement =
  | { readonly kind: "ack" }
  | { readonly kind: "nack"; readonly delayMs: number; readonly reason: string }
  | { readonly kind: "touch"; readonly visibilityMs: number }
  | { readonly kind: "deadLetter"; readonly reason: string };

/** @internal Who settles a message: its subscription. */
export interface Settler {
  settle(message: Message, settlement: Settlement): Promise<void>;
}

const REASON_COUNT_MAX = 256;
const AWAY_MS_MAX = 43_200_000;
const TOUCH_MS_MIN = 1_000;
const decoder = new TextDecoder();

/**
 * A message that is this consumer's until it is settled, or called back. Its visibility timeout is kept alive by the
 * server. What was not asked for in `fields` is undefined.
 */
export class Message {
  /** Its number in the subscription. */
  readonly delivery: number;
  readonly #wire: WireMessage;
  readonly #settler: Settler;
  #body: string | undefined;
  #revoked: AbortController | undefined;
  #lost: WasqError | undefined;
  #isSettled = false;
  #settlement: Promise<void> = Promise.resolve();

  /** @internal */
  constructor(settler: Settler, delivery: number, wire: WireMessage) {
    this.#settler = settler;
    this.delivery = delivery;
    this.#wire = wire;
  }

  /** The message ID, a UUID. */
  get id(): string {
    return uuidOf(this.#wire.id);
  }

  get body(): string {
    this.#body ??= decoder.decode(this.#wire.body);
    return this.#body;
  }

  /** The body as it was sent. A view: copy it to keep it beyond the message. */
  get bodyBytes(): Uint8Array {
    return this.#wire.body;
  }

  /** 1 for the first receive. */
  get receiveCount(): number {
    return this.#wire.earlierReceives + 1;
  }

  /** ATTRIBUTES */
  get attributes(): Readonly<Record<string, MessageAttribute>> {
    return Object.fromEntries(this.#wire.attributes.map((each) => [each.name, attributeOf(each)]));
  }

  /** RECEIPT_HANDLE: for DeleteMessage and ChangeMessageVisibility over HTTP. */
  get receiptHandle(): string | undefined {
    return this.#wire.receiptHandle || undefined;
  }

  /** SENT_TIME, ms since 1970. */
  get sentMs(): number | undefined {
    return this.#wire.sentMs || undefined;
  }

  /** FIRST_RECEIVED_TIME, ms since 1970. */
  get firstReceivedMs(): number | undefined {
    return this.#wire.firstReceivedMs || undefined;
  }

  /** SENDER_ID */
  get senderId(): string | undefined {
    return this.#wire.senderId || undefined;
  }

  /** GROUP_ID */
  get groupId(): string | undefined {
    return this.#wire.groupId || undefined;
  }

  /** DEDUPLICATION_ID */
  get deduplicationId(): string | undefined {
    return this.#wire.deduplicationId || undefined;
  }

  /** SEQUENCE_NUMBER, as SQS writes it: 20 digits. */
  get sequenceNumber(): string | undefined {
    return this.#wire.sequenceNumber === 0 ? undefined : sequenceText(this.#wire.sequenceNumber);
  }

  /** TRACE_HEADER */
  get traceHeader(): string | undefined {
    return this.#wire.traceHeader || undefined;
  }

  /** BODY_MD5, as hexadecimal digits. */
  get bodyMd5(): string | undefined {
    return this.#wire.bodyMd5.length === 0 ? undefined : hex(this.#wire.bodyMd5);
  }

  /** DEAD_LETTER_SOURCE: the ARN of the queue that it was moved from. */
  get deadLetterSource(): string | undefined {
    return this.#wire.deadLetterSource || undefined;
  }

  /** Aborted when the message is not this consumer's any more: called back, or its session is over. Stop working then. */
  get signal(): AbortSignal {
    if (this.#revoked === undefined) {
      this.#revoked = new AbortController();
      if (this.#lost !== undefined) this.#revoked.abort(this.#lost);
    }
    return this.#revoked.signal;
  }

  /** Why it is not this consumer's any more: GROUP_FAILED, EXPIRED, SETTLED_ELSEWHERE, PURGED, SESSION_OVER, CLOSED. */
  get revoked(): WasqError | undefined {
    return this.#lost;
  }

  /** Whether ack, nack or deadLetter has been called, and not refused: what the server does not do leaves it as it was. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** @internal The last ack, nack or deadLetter. */
  get settlement(): Promise<void> {
    return this.#settlement;
  }

  /**
   * Deletes it. Resolves when that is on disk. Rejects when it was not this consumer's any more, with the reason where that
   * is known (EXPIRED, SESSION_OVER ...), else with NOT_YOURS; and when the server refuses it (ACCESS_DENIED ...): then the
   * message is out as before and can be settled again. Who does not wait for it need not catch it.
   */
  ack(): Promise<void> {
    return this.#settle(() => ({ kind: "ack" }));
  }

  /** Gives it back: visible at once, or after `delayMs`. */
  nack({ delayMs = 0, reason = "" }: NackOptions = {}): Promise<void> {
    return this.#settle(() => ({
      kind: "nack",
      delayMs: milliseconds("delayMs", delayMs, 0, AWAY_MS_MAX),
      reason: reason.slice(0, REASON_COUNT_MAX),
    }));
  }

  /** Moves it to the dead-letter queue at once. */
  deadLetter(reason = ""): Promise<void> {
    return this.#settle(() => ({ kind: "deadLetter", reason: reason.slice(0, REASON_COUNT_MAX) }));
  }

  /** Sets how long it stays out from now on, in ms, instead of the subscription's processing time: 1,000 to 43,200,000. */
  touch(visibilityMs: number): Promise<void> {
    return handled(
      this.#ask(() => ({
        kind: "touch",
        visibilityMs: milliseconds("visibilityMs", visibilityMs, TOUCH_MS_MIN, AWAY_MS_MAX),
      })),
    );
  }

  /** @internal Its settlement was refused: it is this consumer's as before. */
  reopen(): void {
    this.#isSettled = false;
  }

  /** @internal The subscription says that it is somebody else's. */
  revoke(error: WasqError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#revoked?.abort(error);
  }

  #settle(settlementOf: () => Settlement): Promise<void> {
    if (this.#isSettled) {
      return handled(Promise.reject(new WasqError("NOT_YOURS", `message ${this.id} has been settled already`)));
    }
    this.#settlement = handled(
      this.#ask(() => {
        const settlement = settlementOf();
        this.#isSettled = true;
        return settlement;
      }),
    );
    return this.#settlement;
  }

  /** Rejects with what `settlementOf` throws: a number that is out of range. */
  async #ask(settlementOf: () => Settlement): Promise<void> {
    await this.#settler.settle(this, settlementOf());
  }
}

/** A rejection that nobody waits for is no fault of the program: nothing is lost by it. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

function attributeOf({ type, text, binary }: Attribute): MessageAttribute {
  return { type, value: binary ?? text ?? "" };
}

/** @internal */
export function sequenceText(sequence: number): string {
  return `1${String(sequence).padStart(19, "0")}`;
}

/** @internal */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

/** @internal */
export function uuidOf(bytes: Uint8Array): string {
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
