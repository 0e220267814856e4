// How a queue stands in the log: JSON behind the fields of a QUEUE record that the core reads.
import { storedTasks } from "./moves.ts";
import type { QueueEntry } from "./queue-entry.ts";
import type { MoveTask, QueueName, QueueSettings } from "./types.ts";

const QUEUE_PAYLOAD_OFFSET = 40; // of a QUEUE record: assembly/record.ts

/** What a record of version 2 does not name. Part of the log's format: changing a value changes what records mean. */
export const UNSAID: QueueSettings = {
  fifo: false,
  delaySeconds: 0,
  maximumMessageBytes: 1_048_576,
  retentionSeconds: 345_600,
  waitSeconds: 0,
  visibilitySeconds: 30,
  contentBasedDeduplication: false,
  deduplicationScope: "queue",
  fifoThroughputLimit: "perQueue",
  redrive: undefined,
  redriveAllow: undefined,
  policy: undefined,
  kmsMasterKeyId: undefined,
  kmsDataKeyReusePeriodSeconds: 300,
  sqsManagedSse: true,
};

/** Fields are added, never renamed. Version 1 names every setting. */
interface StoredQueue {
  readonly version: 1 | 2;
  readonly number: number;
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly settings?: Partial<QueueSettings>;
  readonly tags?: readonly (readonly [string, string])[];
  readonly createdMs: number;
  readonly modifiedMs?: number; // when it is another
  readonly moveTasks?: readonly MoveTask[];
}

/** What a record says of a queue. */
export interface RecordedQueue extends QueueName {
  readonly number: number;
  readonly createdMs: number;
  /** Absent: with the usual settings, and nothing else. */
  readonly rest:
    | {
        readonly settings: QueueSettings | undefined; // undefined: the usual ones
        readonly tags: ReadonlyMap<string, string>;
        readonly modifiedMs: number;
        readonly moveTasks: readonly MoveTask[];
      }
    | undefined;
}

/** Those that differ from what need not be said, as JSON can tell. */
function saidOf(settings: QueueSettings): Partial<QueueSettings> | undefined {
  if (settings === UNSAID) return undefined;
  const unsaid: Readonly<Record<string, unknown>> = { ...UNSAID };
  const said = Object.entries(settings).filter(([name, value]) => value !== unsaid[name]);
  return said.length === 0 ? undefined : Object.fromEntries(said.map(([name, value]) => [name, value ?? null]));
}

/** The settings that need not be said, as the object that stands for them; others as they are. */
export function usual(settings: QueueSettings): QueueSettings {
  return saidOf(settings) === undefined ? UNSAID : settings;
}

export function encodeQueue(entry: QueueEntry): Buffer {
  const said = saidOf(entry.settings);
  const stored: StoredQueue = {
    version: 2,
    number: entry.number,
    account: entry.account,
    region: entry.region,
    name: entry.name,
    ...(said === undefined ? {} : { settings: said }),
    ...(entry.tags.size === 0 ? {} : { tags: [...entry.tags] }),
    createdMs: entry.createdMs,
    ...(entry.modifiedMs === entry.createdMs ? {} : { modifiedMs: entry.modifiedMs }),
    ...(entry.moveTasks.length === 0 ? {} : { moveTasks: storedTasks(entry.moveTasks) }),
  };
  return Buffer.from(JSON.stringify(stored));
}

// JSON has no undefined: what was absent is absent again.
function restoreSettings(stored: Partial<QueueSettings>): QueueSettings {
  return {
    ...UNSAID,
    ...stored,
    redrive: stored.redrive ?? undefined,
    redriveAllow: stored.redriveAllow ?? undefined,
    policy: stored.policy ?? undefined,
    kmsMasterKeyId: stored.kmsMasterKeyId ?? undefined,
  };
}

function restoreTask(stored: MoveTask): MoveTask {
  return {
    ...stored,
    destinationArn: stored.destinationArn ?? undefined,
    messagesPerSecond: stored.messagesPerSecond ?? undefined,
    failure: stored.failure ?? undefined,
  };
}

const BEGIN = Buffer.from('{"version":2,"number":');
const CREATED = Buffer.from('","createdMs":');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const END = 0x7d;

/** Reads records in the order of the log. One that says nothing but a name is read without a parser: there may be a million. */
export class QueueRecordReader {
  #account = "";
  #region = "";
  #middle = Buffer.alloc(0); // of a plain record of the account and region that the one before had
  #at = 0;

  read(record: Buffer): RecordedQueue {
    const end = QUEUE_PAYLOAD_OFFSET + record.readUInt32LE(32);
    return this.#readPlain(record, end) ?? this.#parse(record.toString("utf8", QUEUE_PAYLOAD_OFFSET, end));
  }

  #readPlain(record: Buffer, end: number): RecordedQueue | undefined {
    this.#at = QUEUE_PAYLOAD_OFFSET;
    if (!this.#skip(record, BEGIN)) return undefined;
    const number = this.#digits(record);
    if (!this.#skip(record, this.#middle)) return undefined;
    const nameStart = this.#at;
    let at = nameStart;
    for (; at < end; at++) {
      const byte = record[at] as number;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH || byte >= 0x80) return undefined;
    }
    this.#at = at;
    if (!this.#skip(record, CREATED)) return undefined;
    const createdMs = this.#digits(record);
    if (this.#at !== end - 1 || record[this.#at] !== END) return undefined;
    const name = record.toString("latin1", nameStart, at);
    return { account: this.#account, region: this.#region, name, number, createdMs, rest: undefined };
  }

  #skip(record: Buffer, expected: Buffer): boolean {
    const start = this.#at;
    const count = expected.length;
    for (let i = 0; i < count; i++) if (record[start + i] !== expected[i]) return false;
    this.#at = start + count;
    return count > 0;
  }

  #digits(record: Buffer): number {
    let value = 0;
    for (;;) {
      const digit = (record[this.#at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) return value;
      value = value * 10 + digit;
      this.#at++;
    }
  }

  #parse(payload: string): RecordedQueue {
    const stored: StoredQueue = JSON.parse(payload);
    const { account, region, name, number, createdMs, settings, tags = [], modifiedMs, moveTasks = [] } = stored;
    if (account !== this.#account || region !== this.#region || this.#middle.length === 0) {
      this.#account = account;
      this.#region = region;
      const parts = JSON.stringify({ account, region, name: "" });
      this.#middle = Buffer.from(`,${parts.slice(1, -2)}`);
    }
    const rest = {
      settings: settings === undefined ? undefined : restoreSettings(settings),
      tags: new Map(tags),
      modifiedMs: modifiedMs ?? createdMs,
      moveTasks: moveTasks.map(restoreTask),
    };
    return { account, region, name, number, createdMs, rest };
  }
}
