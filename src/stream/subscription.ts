// A session's subscription: what its client asks is checked here, and asked of the broker.

import type {
  BrokerSubscription,
  DeliveryRange,
  Outcome,
  StreamBroker,
  SubscriptionRules,
} from "../broker/stream-types.ts";
import type { Queue } from "../broker/types.ts";
import {
  STREAM_BATCH_MESSAGES_MAX,
  STREAM_GROUP_IN_FLIGHT_MAX,
  STREAM_NUMBERS_MAX,
  STREAM_REQUEST_NUMBERS,
  VISIBILITY_MS_MAX,
} from "../limits.ts";
import { type Action, Rights } from "./caller.ts";
import { type CreditMessage, type ErrorName, type RangeMessage, RequestError, type Requests } from "./envelope.ts";
import { ErrorCode } from "./schema.ts";
import { checkCredit, type Session } from "./session.ts";

const PROCESSING_MS = 3_600_000;
const PROCESSING_MS_MIN = 1_000;
const BATCH_MESSAGES = 100;
const LINGER_MS_MAX = 10_000;
const FIELD_MAX = 11;
/** What a subscription cannot be without; what settling needs is asked when there is something to settle. */
export const SUBSCRIBE_ACTIONS: readonly Action[] = ["ReceiveMessage"];
/** Of what a request names in ranges: looking at that many costs one of the pace's units. */
const NUMBERS_PER_UNIT = 256;
const REASON_COUNT_MAX = 256;

/** @throws RequestError when the value is beyond its bounds */
function within(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw new RequestError("INVALID_PARAMETER", `${name} is ${value}: ${min} to ${max} is allowed`);
}

function rulesOf(request: Requests["subscribe"], queue: Queue): SubscriptionRules {
  if (request.credit !== null) {
    checkCredit(request.credit);
    checkNumber("beyond", request.credit.beyond);
    if (!request.credit.auto && request.credit.beyond > 0) {
      throw new RequestError("INVALID_PARAMETER", `beyond is ${request.credit.beyond}: nothing has been delivered yet`);
    }
  }
  let fields = 0;
  for (const field of request.fields) fields |= field >= 1 && field <= FIELD_MAX ? 1 << field : 0;
  return {
    clientId: request.subscription,
    visibilityMs: within(
      "visibility_ms",
      request.visibilityMs ?? queue.settings.visibilitySeconds * 1000,
      0,
      VISIBILITY_MS_MAX,
    ),
    processingMs: within(
      "processing_ms_max",
      request.processingMsMax || PROCESSING_MS,
      PROCESSING_MS_MIN,
      VISIBILITY_MS_MAX,
    ),
    batchMessages: within("batch_messages", request.batchMessages || BATCH_MESSAGES, 1, STREAM_BATCH_MESSAGES_MAX),
    lingerMs: within("linger_ms", request.lingerMs, 0, LINGER_MS_MAX),
    fields,
    groupInFlight: within("group_in_flight", request.groupInFlight || 1, 1, STREAM_GROUP_IN_FLIGHT_MAX),
  };
}

export class SessionSubscription {
  readonly rules: SubscriptionRules;
  readonly #session: Session;
  readonly #rights: Rights;
  #broker: BrokerSubscription | undefined;

  private constructor(session: Session, queue: Queue, rules: SubscriptionRules) {
    this.#session = session;
    this.#rights = new Rights(session, queue);
    this.rules = rules;
  }

  /** @throws RequestError */
  static open(
    session: Session,
    broker: StreamBroker,
    queue: Queue,
    request: Requests["subscribe"],
  ): SessionSubscription {
    const subscription = new SessionSubscription(session, queue, rulesOf(request, queue));
    subscription.#broker = broker.subscribe(queue, subscription.rules, {
      frame: (bytes) => {
        try {
          session.connection?.frame(bytes);
        } catch (error) {
          session.fail(error);
        }
      },
      ended: () => subscription.#ended(),
    });
    if (subscription.#broker === undefined) throw new RequestError("FULL", "Memory is used up");
    return subscription;
  }

  get number(): number {
    return this.rules.clientId;
  }

  get broker(): BrokerSubscription {
    return this.#broker as BrokerSubscription; // open() has set it
  }

  #ended(): void {
    this.#tellEnd("QUEUE_DELETED");
  }

  #tellEnd(code: ErrorName, message?: string): void {
    this.#session.subscriptions.delete(this.number);
    this.#session.connection?.push({
      subscriptionEnded: { subscription: this.number, code: ErrorCode[code], ...(message && { message }) },
    });
  }

  /** Its caller may have lost the right to receive: then what is out goes back. */
  recheck(): void {
    const refusal = this.#rights.askAgain(SUBSCRIBE_ACTIONS);
    if (refusal === undefined) return;
    this.broker.close();
    this.#tellEnd("ACCESS_DENIED", refusal);
  }

  setCredit(id: number, credit: CreditMessage): void {
    checkCredit(credit);
    const { messages, bytes, beyond, auto } = credit;
    checkNumber("beyond", beyond);
    const answer = this.#session.later(id, "done");
    if (this.#session.isGoingAway) answer({});
    else this.broker.setCredit(messages, bytes, beyond, auto, (taken) => answer(taken ? {} : this.#unseen(beyond)));
  }

  #unseen(beyond: number): RequestError {
    return new RequestError("INVALID_PARAMETER", `beyond is ${beyond}: the newest delivery is ${this.broker.last}`);
  }

  ack(id: number, { deliveries }: Requests["ack"]): void {
    this.#rights.demand("DeleteMessage");
    this.#settle(id, "ack", deliveries, 0);
  }

  nack(id: number, { deliveries, delayMs, reason }: Requests["nack"]): void {
    this.#rights.demand("ChangeMessageVisibility");
    checkReason(reason);
    this.#settle(id, "nack", deliveries, within("delay_ms", delayMs, 0, VISIBILITY_MS_MAX), reason);
  }

  touch(id: number, { deliveries, visibilityMs }: Requests["touch"]): void {
    this.#rights.demand("ChangeMessageVisibility");
    this.#settle(id, "touch", deliveries, within("visibility_ms", visibilityMs, PROCESSING_MS_MIN, VISIBILITY_MS_MAX));
  }

  deadLetter(id: number, { deliveries, reason }: Requests["deadLetter"]): void {
    this.#rights.demand("DeleteMessage");
    checkReason(reason);
    if (!this.broker.hasDeadLetterQueue) {
      throw new RequestError("NO_DEAD_LETTER_QUEUE", `${this.broker.queue.name} has no dead-letter queue`);
    }
    this.#settle(id, "deadLetter", deliveries, 0, reason);
  }

  #settle(id: number, outcome: Outcome, deliveries: readonly RangeMessage[], visibilityMs: number, reason = ""): void {
    const ranges = rangesOf(deliveries);
    const count = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    this.#session.spend(ranges.length + count / NUMBERS_PER_UNIT);
    const answer = this.#session.later(id, "settled", 1 + Math.floor(count / STREAM_REQUEST_NUMBERS));
    this.broker.settle(outcome, ranges, visibilityMs, reason, (result) => {
      const failures = result.failures.map(({ first, last, code }) => ({
        delivery: first,
        code,
        ...(last > first && { last }),
      }));
      answer({ subscription: this.number, count: result.count, failures });
    });
  }
}

function checkReason(reason: string): void {
  if (reason.length <= REASON_COUNT_MAX) return;
  throw new RequestError(
    "INVALID_PARAMETER",
    `reason has ${reason.length} characters: ${REASON_COUNT_MAX} are allowed`,
  );
}

/** @throws RequestError for what no delivery has as its number: JSON brings fractions and texts, 64 bits more than 2^53 - 1 */
function checkNumber(what: string, number: number): void {
  if (Number.isSafeInteger(number) && number >= 0) return;
  throw new RequestError("INVALID_PARAMETER", `${what} is ${number}: a whole number to 2^53 - 1 is needed`);
}

/** @throws RequestError for ranges that run backwards, or name too many numbers */
function rangesOf(deliveries: readonly RangeMessage[]): DeliveryRange[] {
  let count = 0;
  return deliveries.map((range) => {
    const { first } = range;
    const last = range.last === 0 ? first : range.last;
    checkNumber("A delivery", first);
    checkNumber("A delivery", last);
    if (last < first) throw new RequestError("INVALID_PARAMETER", `The range ${first} to ${last} runs backwards`);
    count += last - first + 1;
    if (count > STREAM_NUMBERS_MAX) {
      throw new RequestError("INVALID_PARAMETER", `More than ${STREAM_NUMBERS_MAX} numbers are named in one request`);
    }
    return { first, last };
  });
}
