// The messages of broker.proto as TypeScript sees them: what comes in as protobufjs decodes it, with every default filled
// in; what goes out as it may be written, with only what is said.

export interface RangeMessage {
  readonly first: number;
  readonly last: number; // 0: only `first`
}

export interface CreditMessage {
  readonly subscription: number;
  readonly messages: number;
  readonly bytes: number;
  readonly beyond: number;
  readonly auto: boolean;
}

export interface ConfirmMessage {
  readonly publisher: number;
  readonly number: number;
  readonly failures: readonly object[];
}

export interface SettledMessage {
  readonly subscription: number;
  readonly count: number;
  /** `last`: not there where it is only one number. */
  readonly failures: readonly { readonly delivery: number; readonly code: number; readonly last?: number }[];
}

/** Requests, by the name of the envelope's body. */
export interface Requests {
  readonly hello: {
    readonly clientName: string;
    readonly clientVersion: string;
    readonly heartbeatMs: number;
    readonly graceMs: number | null;
    readonly sessionToken: string;
    readonly ticket: string;
  };
  readonly bye: object;
  readonly subscribe: {
    readonly subscription: number;
    readonly queue: string;
    readonly visibilityMs: number | null;
    readonly processingMsMax: number;
    readonly batchMessages: number;
    readonly lingerMs: number;
    readonly fields: readonly number[];
    readonly groupInFlight: number;
    readonly credit: CreditMessage | null;
  };
  readonly unsubscribe: { readonly subscription: number };
  readonly credit: CreditMessage;
  readonly ack: { readonly subscription: number; readonly deliveries: readonly RangeMessage[] };
  readonly nack: {
    readonly subscription: number;
    readonly deliveries: readonly RangeMessage[];
    readonly delayMs: number;
    readonly reason: string;
  };
  readonly touch: {
    readonly subscription: number;
    readonly deliveries: readonly RangeMessage[];
    readonly visibilityMs: number;
  };
  readonly deadLetter: {
    readonly subscription: number;
    readonly deliveries: readonly RangeMessage[];
    readonly reason: string;
  };
  readonly openPublisher: {
    readonly publisher: number;
    readonly queue: string;
    readonly producerId: Uint8Array;
    readonly wantsIds: boolean;
  };
  readonly closePublisher: { readonly publisher: number };
  readonly watch: {
    readonly watch: number;
    readonly queue: string;
    readonly intervalMs: number;
    readonly events: boolean;
    readonly bodies: boolean;
  };
  readonly unwatch: { readonly watch: number };
}

export type RequestName = keyof Requests;

/** An envelope as it came in; a Publish stays bytes. */
export type Incoming =
  | { readonly kind: "publish"; readonly offset: number; readonly sizeBytes: number }
  | { readonly kind: "request"; readonly id: number; readonly name: string; readonly body: unknown }
  /** In JSON: a number that its field cannot have. INVALID_PARAMETER, in words. */
  | { readonly kind: "refused"; readonly id: number; readonly message: string };

/** An envelope to be written: id, and one body by its name. */
export type Outgoing = { readonly id?: number } & Readonly<Record<string, unknown>>;

export type ErrorName =
  | "QUEUE_DOES_NOT_EXIST"
  | "INVALID_PARAMETER"
  | "ALREADY_EXISTS"
  | "NOT_FOUND"
  | "LIMIT_EXCEEDED"
  | "UNKNOWN_REQUEST"
  | "FULL"
  | "NO_DEAD_LETTER_QUEUE"
  | "INVALID_MESSAGE_CONTENTS"
  | "MESSAGE_TOO_LONG"
  | "MISSING_PARAMETER"
  | "OUT_OF_ORDER"
  | "ACCESS_DENIED"
  | "QUEUE_DELETED"
  | "GOING_AWAY";

/** A request that fails: its client is told, and the connection goes on. */
export class RequestError extends Error {
  readonly code: ErrorName;

  constructor(code: ErrorName, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why the server closes a connection. */
export const CLOSE = {
  bye: 1000,
  malformed: 4400,
  noHello: 4401,
  ticket: 4403,
  wrongType: 4405,
  lapsed: 4407,
  helloLate: 4408,
  takenOver: 4409,
  goingAway: 4410,
  tooLarge: 4413,
  creditExceeded: 4414,
  stalled: 4420,
  tooManyRequests: 4421,
  fault: 4450,
} as const;

/** A connection that cannot go on. */
export class ConnectionError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
