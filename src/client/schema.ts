// Made from src/stream/broker.proto by build/schema.mjs: not to be edited.

/** Enums, by name. */
export const ENUMS = {
  ErrorCode: {
    ERROR_UNSPECIFIED: 0,
    QUEUE_DOES_NOT_EXIST: 1,
    INVALID_PARAMETER: 2,
    ALREADY_EXISTS: 3,
    NOT_FOUND: 4,
    LIMIT_EXCEEDED: 5,
    UNKNOWN_REQUEST: 6,
    FULL: 7,
    NO_DEAD_LETTER_QUEUE: 8,
    INVALID_MESSAGE_CONTENTS: 9,
    MESSAGE_TOO_LONG: 10,
    MISSING_PARAMETER: 11,
    OUT_OF_ORDER: 12,
    ACCESS_DENIED: 13,
    QUEUE_DELETED: 14,
    GOING_AWAY: 15,
  },
  Field: {
    FIELD_UNSPECIFIED: 0,
    ATTRIBUTES: 1,
    RECEIPT_HANDLE: 2,
    SENT_TIME: 3,
    FIRST_RECEIVED_TIME: 4,
    SENDER_ID: 5,
    GROUP_ID: 6,
    DEDUPLICATION_ID: 7,
    SEQUENCE_NUMBER: 8,
    TRACE_HEADER: 9,
    BODY_MD5: 10,
    DEAD_LETTER_SOURCE: 11,
  },
  SettleCode: {
    SETTLE_UNSPECIFIED: 0,
    NEVER_DELIVERED: 1,
    NOT_YOURS: 2,
    BEYOND_MAXIMUM: 3,
    DEAD_LETTER_FULL: 4,
  },
  RevokeReason: {
    REVOKE_UNSPECIFIED: 0,
    GROUP_FAILED: 1,
    EXPIRED: 2,
    SETTLED_ELSEWHERE: 3,
    PURGED: 4,
  },
  EventKind: {
    EVENT_UNSPECIFIED: 0,
    SENT: 1,
    DELIVERED: 2,
    SETTLED: 3,
    RETURNED: 4,
    RETENTION_ENDED: 5,
    DEAD_LETTERED: 6,
  },
} as const;

export type ErrorCode = keyof typeof ENUMS.ErrorCode;
export type Field = keyof typeof ENUMS.Field;
export type SettleCode = keyof typeof ENUMS.SettleCode;
export type RevokeReason = keyof typeof ENUMS.RevokeReason;
export type EventKind = keyof typeof ENUMS.EventKind;

/** Fields of a message: number, name, type; `*`: repeated, `?`: absent is not the same as its default. */
export const FIELDS = {
  Envelope: [
    "1 id uint32",
    "2 deliver Deliver?",
    "3 publish Publish?",
    "4 confirm Confirm?",
    "5 ack Ack?",
    "6 credit Credit?",
    "7 nack Nack?",
    "8 touch Touch?",
    "9 settled Settled?",
    "10 done Done?",
    "11 error Error?",
    "16 hello Hello?",
    "17 welcome Welcome?",
    "18 subscribe Subscribe?",
    "19 subscribed Subscribed?",
    "20 unsubscribe Unsubscribe?",
    "21 subscriptionEnded SubscriptionEnded?",
    "22 deadLetter DeadLetter?",
    "23 revoke Revoke?",
    "24 openPublisher OpenPublisher?",
    "25 publisherOpened PublisherOpened?",
    "26 closePublisher ClosePublisher?",
    "27 refused Refused?",
    "28 watch Watch?",
    "29 watching Watching?",
    "30 unwatch Unwatch?",
    "31 watched Watched?",
    "32 heartbeat Heartbeat?",
    "33 goAway GoAway?",
    "34 bye Bye?",
  ],
  Hello: [
    "1 clientName string",
    "2 clientVersion string",
    "3 heartbeatMs uint32",
    "4 graceMs uint32?",
    "5 sessionToken string",
    "6 ticket string",
  ],
  Welcome: [
    "1 sessionToken string",
    "2 resumed bool",
    "3 serverName string",
    "4 serverVersion string",
    "5 timeMs uint64",
    "6 heartbeatMs uint32",
    "7 graceMs uint32",
    "8 limits Limits?",
    "9 subscriptions ResumedSubscription*",
    "10 publishers ResumedPublisher*",
  ],
  Limits: [
    "1 frameBytes uint32",
    "2 messageBytes uint32",
    "3 subscriptions uint32",
    "4 publishers uint32",
    "5 watches uint32",
    "6 creditMessages uint32",
    "7 creditBytes uint32",
    "8 batchMessages uint32",
    "9 outstandingSpan uint32",
    "10 groupInFlight uint32",
  ],
  ResumedSubscription: [
    "1 subscription uint32",
    "2 outstanding Range*",
    "3 last uint64",
  ],
  ResumedPublisher: [
    "1 publisher uint32",
    "2 confirmed uint64",
    "3 creditBytes uint32",
  ],
  Range: [
    "1 first uint64",
    "2 last uint64",
  ],
  Done: [
  ],
  Error: [
    "1 code ErrorCode",
    "2 message string",
  ],
  Heartbeat: [
    "1 timeMs uint64",
  ],
  GoAway: [
    "1 deadlineMs uint32",
    "2 reason string",
  ],
  Bye: [
  ],
  Subscribe: [
    "1 subscription uint32",
    "2 queue string",
    "3 visibilityMs uint32?",
    "4 processingMsMax uint32",
    "5 batchMessages uint32",
    "6 lingerMs uint32",
    "7 fields Field*",
    "8 groupInFlight uint32",
    "9 credit Credit?",
  ],
  Subscribed: [
    "1 subscription uint32",
    "2 fifo bool",
    "3 visibilityMs uint32",
    "4 processingMsMax uint32",
  ],
  Unsubscribe: [
    "1 subscription uint32",
  ],
  SubscriptionEnded: [
    "1 subscription uint32",
    "2 code ErrorCode",
    "3 message string",
  ],
  Credit: [
    "1 subscription uint32",
    "2 messages uint32",
    "3 bytes uint32",
    "4 beyond uint64",
    "5 auto bool",
  ],
  Deliver: [
    "1 subscription uint32",
    "2 first uint64",
    "3 messages Message*",
  ],
  Message: [
    "1 id bytes",
    "2 body bytes",
    "3 earlierReceives uint32",
    "4 attributes Attribute*",
    "5 receiptHandle string",
    "6 sentMs uint64",
    "7 firstReceivedMs uint64",
    "8 senderId string",
    "9 groupId string",
    "10 deduplicationId string",
    "11 sequenceNumber uint64",
    "12 traceHeader string",
    "13 bodyMd5 bytes",
    "14 messageId string",
    "15 text string",
    "16 deadLetterSource string",
  ],
  Attribute: [
    "1 name string",
    "2 type string",
    "3 text string?",
    "4 binary bytes?",
  ],
  Ack: [
    "1 subscription uint32",
    "2 deliveries Range*",
  ],
  Nack: [
    "1 subscription uint32",
    "2 deliveries Range*",
    "3 delayMs uint32",
    "4 reason string",
  ],
  Touch: [
    "1 subscription uint32",
    "2 deliveries Range*",
    "3 visibilityMs uint32",
  ],
  DeadLetter: [
    "1 subscription uint32",
    "2 deliveries Range*",
    "3 reason string",
  ],
  Settled: [
    "1 subscription uint32",
    "2 count uint32",
    "3 failures NotSettled*",
  ],
  NotSettled: [
    "1 delivery uint64",
    "2 code SettleCode",
    "3 last uint64",
  ],
  Revoke: [
    "1 subscription uint32",
    "2 deliveries Range*",
    "3 reason RevokeReason",
  ],
  OpenPublisher: [
    "1 publisher uint32",
    "2 queue string",
    "3 producerId bytes",
    "4 wantsIds bool",
    "5 producer string",
  ],
  PublisherOpened: [
    "1 publisher uint32",
    "2 fifo bool",
    "3 creditBytes uint32",
    "4 confirmed uint64",
  ],
  Publish: [
    "1 publisher uint32",
    "2 first uint64",
    "3 messages NewMessage*",
  ],
  NewMessage: [
    "1 body bytes?",
    "2 text string?",
    "3 delayMs uint32?",
    "4 attributes Attribute*",
    "5 groupId string",
    "6 deduplicationId string",
    "7 traceHeader string",
  ],
  Confirm: [
    "1 publisher uint32",
    "2 number uint64",
    "3 failures NotPublished*",
    "4 published Published*",
  ],
  Published: [
    "1 number uint64",
    "2 id bytes",
    "3 sequenceNumber uint64",
    "4 duplicate bool",
    "5 messageId string",
  ],
  NotPublished: [
    "1 number uint64",
    "2 code ErrorCode",
    "3 message string",
  ],
  Refused: [
    "1 publisher uint32",
    "2 from uint64",
    "3 code ErrorCode",
    "4 retryMs uint32",
    "5 message string",
  ],
  ClosePublisher: [
    "1 publisher uint32",
  ],
  Watch: [
    "1 watch uint32",
    "2 queue string",
    "3 intervalMs uint32",
    "4 events bool",
    "5 bodies bool",
  ],
  Watching: [
    "1 watch uint32",
    "2 fifo bool",
  ],
  Unwatch: [
    "1 watch uint32",
  ],
  Watched: [
    "1 watch uint32",
    "2 state QueueState?",
    "3 events Event*",
    "4 skipped uint64",
    "5 deleted bool",
    "6 endedCode ErrorCode",
    "7 message string",
  ],
  QueueState: [
    "1 visible uint64",
    "2 inFlight uint64",
    "3 delayed uint64",
    "4 oldestMs uint64",
    "5 sentRate double",
    "6 deliveredRate double",
    "7 settledRate double",
    "8 subscriptions uint32",
    "9 pollers uint32",
  ],
  Event: [
    "1 kind EventKind",
    "2 timeMs uint64",
    "3 id bytes",
    "4 messageId string",
    "5 receiveCount uint32",
    "6 body bytes",
    "7 text string",
    "8 reason string",
  ],
} as const;

export interface Envelope {
  id: number;
  deliver: Deliver | undefined;
  publish: Publish | undefined;
  confirm: Confirm | undefined;
  ack: Ack | undefined;
  credit: Credit | undefined;
  nack: Nack | undefined;
  touch: Touch | undefined;
  settled: Settled | undefined;
  done: Done | undefined;
  error: Error | undefined;
  hello: Hello | undefined;
  welcome: Welcome | undefined;
  subscribe: Subscribe | undefined;
  subscribed: Subscribed | undefined;
  unsubscribe: Unsubscribe | undefined;
  subscriptionEnded: SubscriptionEnded | undefined;
  deadLetter: DeadLetter | undefined;
  revoke: Revoke | undefined;
  openPublisher: OpenPublisher | undefined;
  publisherOpened: PublisherOpened | undefined;
  closePublisher: ClosePublisher | undefined;
  refused: Refused | undefined;
  watch: Watch | undefined;
  watching: Watching | undefined;
  unwatch: Unwatch | undefined;
  watched: Watched | undefined;
  heartbeat: Heartbeat | undefined;
  goAway: GoAway | undefined;
  bye: Bye | undefined;
}

export interface Hello {
  clientName: string;
  clientVersion: string;
  heartbeatMs: number;
  graceMs: number | undefined;
  sessionToken: string;
  ticket: string;
}

export interface Welcome {
  sessionToken: string;
  resumed: boolean;
  serverName: string;
  serverVersion: string;
  timeMs: number;
  heartbeatMs: number;
  graceMs: number;
  limits: Limits | undefined;
  subscriptions: ResumedSubscription[];
  publishers: ResumedPublisher[];
}

export interface Limits {
  frameBytes: number;
  messageBytes: number;
  subscriptions: number;
  publishers: number;
  watches: number;
  creditMessages: number;
  creditBytes: number;
  batchMessages: number;
  outstandingSpan: number;
  groupInFlight: number;
}

export interface ResumedSubscription {
  subscription: number;
  outstanding: Range[];
  last: number;
}

export interface ResumedPublisher {
  publisher: number;
  confirmed: number;
  creditBytes: number;
}

export interface Range {
  first: number;
  last: number;
}

export interface Done {
}

export interface Error {
  code: ErrorCode;
  message: string;
}

export interface Heartbeat {
  timeMs: number;
}

export interface GoAway {
  deadlineMs: number;
  reason: string;
}

export interface Bye {
}

export interface Subscribe {
  subscription: number;
  queue: string;
  visibilityMs: number | undefined;
  processingMsMax: number;
  batchMessages: number;
  lingerMs: number;
  fields: Field[];
  groupInFlight: number;
  credit: Credit | undefined;
}

export interface Subscribed {
  subscription: number;
  fifo: boolean;
  visibilityMs: number;
  processingMsMax: number;
}

export interface Unsubscribe {
  subscription: number;
}

export interface SubscriptionEnded {
  subscription: number;
  code: ErrorCode;
  message: string;
}

export interface Credit {
  subscription: number;
  messages: number;
  bytes: number;
  beyond: number;
  auto: boolean;
}

export interface Deliver {
  subscription: number;
  first: number;
  messages: Message[];
}

export interface Message {
  id: Uint8Array;
  body: Uint8Array;
  earlierReceives: number;
  attributes: Attribute[];
  receiptHandle: string;
  sentMs: number;
  firstReceivedMs: number;
  senderId: string;
  groupId: string;
  deduplicationId: string;
  sequenceNumber: number;
  traceHeader: string;
  bodyMd5: Uint8Array;
  messageId: string;
  text: string;
  deadLetterSource: string;
}

export interface Attribute {
  name: string;
  type: string;
  text: string | undefined;
  binary: Uint8Array | undefined;
}

export interface Ack {
  subscription: number;
  deliveries: Range[];
}

export interface Nack {
  subscription: number;
  deliveries: Range[];
  delayMs: number;
  reason: string;
}

export interface Touch {
  subscription: number;
  deliveries: Range[];
  visibilityMs: number;
}

export interface DeadLetter {
  subscription: number;
  deliveries: Range[];
  reason: string;
}

export interface Settled {
  subscription: number;
  count: number;
  failures: NotSettled[];
}

export interface NotSettled {
  delivery: number;
  code: SettleCode;
  last: number;
}

export interface Revoke {
  subscription: number;
  deliveries: Range[];
  reason: RevokeReason;
}

export interface OpenPublisher {
  publisher: number;
  queue: string;
  producerId: Uint8Array;
  wantsIds: boolean;
  producer: string;
}

export interface PublisherOpened {
  publisher: number;
  fifo: boolean;
  creditBytes: number;
  confirmed: number;
}

export interface Publish {
  publisher: number;
  first: number;
  messages: NewMessage[];
}

export interface NewMessage {
  body: Uint8Array | undefined;
  text: string | undefined;
  delayMs: number | undefined;
  attributes: Attribute[];
  groupId: string;
  deduplicationId: string;
  traceHeader: string;
}

export interface Confirm {
  publisher: number;
  number: number;
  failures: NotPublished[];
  published: Published[];
}

export interface Published {
  number: number;
  id: Uint8Array;
  sequenceNumber: number;
  duplicate: boolean;
  messageId: string;
}

export interface NotPublished {
  number: number;
  code: ErrorCode;
  message: string;
}

export interface Refused {
  publisher: number;
  from: number;
  code: ErrorCode;
  retryMs: number;
  message: string;
}

export interface ClosePublisher {
  publisher: number;
}

export interface Watch {
  watch: number;
  queue: string;
  intervalMs: number;
  events: boolean;
  bodies: boolean;
}

export interface Watching {
  watch: number;
  fifo: boolean;
}

export interface Unwatch {
  watch: number;
}

export interface Watched {
  watch: number;
  state: QueueState | undefined;
  events: Event[];
  skipped: number;
  deleted: boolean;
  endedCode: ErrorCode;
  message: string;
}

export interface QueueState {
  visible: number;
  inFlight: number;
  delayed: number;
  oldestMs: number;
  sentRate: number;
  deliveredRate: number;
  settledRate: number;
  subscriptions: number;
  pollers: number;
}

export interface Event {
  kind: EventKind;
  timeMs: number;
  id: Uint8Array;
  messageId: string;
  receiveCount: number;
  body: Uint8Array;
  text: string;
  reason: string;
}

export interface Messages {
  Envelope: Envelope;
  Hello: Hello;
  Welcome: Welcome;
  Limits: Limits;
  ResumedSubscription: ResumedSubscription;
  ResumedPublisher: ResumedPublisher;
  Range: Range;
  Done: Done;
  Error: Error;
  Heartbeat: Heartbeat;
  GoAway: GoAway;
  Bye: Bye;
  Subscribe: Subscribe;
  Subscribed: Subscribed;
  Unsubscribe: Unsubscribe;
  SubscriptionEnded: SubscriptionEnded;
  Credit: Credit;
  Deliver: Deliver;
  Message: Message;
  Attribute: Attribute;
  Ack: Ack;
  Nack: Nack;
  Touch: Touch;
  DeadLetter: DeadLetter;
  Settled: Settled;
  NotSettled: NotSettled;
  Revoke: Revoke;
  OpenPublisher: OpenPublisher;
  PublisherOpened: PublisherOpened;
  Publish: Publish;
  NewMessage: NewMessage;
  Confirm: Confirm;
  Published: Published;
  NotPublished: NotPublished;
  Refused: Refused;
  ClosePublisher: ClosePublisher;
  Watch: Watch;
  Watching: Watching;
  Unwatch: Unwatch;
  Watched: Watched;
  QueueState: QueueState;
  Event: Event;
}
