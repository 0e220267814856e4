// The queues by name, with their settings and tags; what of them the core must know is given to it here.

import { queueArn } from "../base/arn.ts";
import { type Core, QUEUE_FLAG } from "../core/core.ts";
import { INFLIGHT_COUNT_MAX } from "../limits.ts";
import { storedTasks } from "./moves.ts";
import type { MoveTask, Queue, QueueName, QueueSettings } from "./types.ts";

const QUEUE_PAYLOAD_OFFSET = 40; // of a QUEUE record: assembly/record.ts
// A million queues that are as they were made share what they have in common.
const NO_TASKS: readonly MoveTask[] = [];
const NO_TAGS: ReadonlyMap<string, string> = new Map();
/** Different settings that are kept to be shared. */
const SHARED_COUNT_MAX = 1_024;

/** What a record of version 2 does not name. Part of the log's format: changing a value changes what records mean. */
const UNSAID: QueueSettings = {
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

/** A queue as the broker holds it. A purge changes `index` and `coreNumber`; `number` lasts as long as the queue. */
export class QueueEntry implements Queue {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly number: number;
  readonly createdMs: number;
  settings: QueueSettings;
  tags: ReadonlyMap<string, string>;
  modifiedMs: number;
  index = 0;
  coreNumber = 0;
  isGone = false;
  /** It has, or had, messages that only a key opens. */
  mayBeSealed: boolean;
  moveTasks: readonly MoveTask[] = NO_TASKS; // of those that empty it; newest first

  constructor(
    name: QueueName,
    number: number,
    settings: QueueSettings,
    tags: ReadonlyMap<string, string>,
    createdMs: number,
    modifiedMs: number,
  ) {
    this.account = name.account;
    this.region = name.region;
    this.name = name.name;
    this.number = number;
    this.settings = settings;
    this.tags = tags;
    this.createdMs = createdMs;
    this.modifiedMs = modifiedMs;
    this.mayBeSealed = settings.kmsMasterKeyId !== undefined;
  }

  get arn(): string {
    return queueArn(this.region, this.account, this.name);
  }
}

/** How a queue's settings stand in the log. Fields are added, never renamed. Version 1 names every setting. */
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

/** Those that differ from what need not be said, as JSON can tell. */
function saidOf(settings: QueueSettings): Partial<QueueSettings> | undefined {
  const unsaid: Readonly<Record<string, unknown>> = { ...UNSAID };
  const said = Object.entries(settings).filter(([name, value]) => value !== unsaid[name]);
  return said.length === 0 ? undefined : Object.fromEntries(said.map(([name, value]) => [name, value ?? null]));
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

/** The queues of an account in a region, by name. */
interface Namespace {
  readonly account: string;
  readonly region: string;
  readonly byName: Map<string, QueueEntry>;
}

export class Catalogue {
  readonly #core: Core;
  readonly #namespaces = new Map<string, Namespace>();
  #latest: Namespace | undefined; // mostly the next one, too
  readonly #arnByNumber = new Map<number, string | undefined>(); // of those that are gone, and those once asked for
  readonly #shared = new Map<string, QueueSettings>();
  readonly #sources = new Map<string, Set<QueueEntry>>(); // dead-letter target's ARN to those who name it
  readonly #replayed = new Map<number, QueueEntry>(); // by index, while the log is replayed
  #sorted: QueueEntry[] | undefined;
  #nextNumber = 1;
  /** Grows whenever a queue comes or goes. */
  version = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Told of QUEUE and QUEUE_DROPPED records in the order of the log. */
  replay(dropped: boolean, record: Buffer): void {
    const index = record.readUInt32LE(24);
    const coreNumber = record.readUInt32LE(28);
    if (dropped) {
      const gone = this.#replayed.get(index);
      if (gone?.coreNumber !== coreNumber) return;
      this.#arnByNumber.set(gone.number, gone.arn);
      this.#replayed.delete(index);
      return;
    }
    const payload = record.toString("utf8", QUEUE_PAYLOAD_OFFSET, QUEUE_PAYLOAD_OFFSET + record.readUInt32LE(32));
    const stored: StoredQueue = JSON.parse(payload);
    const { account, region } = this.#namespace(stored);
    const entry = new QueueEntry(
      { account, region, name: stored.name },
      stored.number,
      stored.settings === undefined ? UNSAID : this.#share(restoreSettings(stored.settings)),
      stored.tags === undefined || stored.tags.length === 0 ? NO_TAGS : new Map(stored.tags),
      stored.createdMs,
      stored.modifiedMs ?? stored.createdMs,
    );
    entry.index = index;
    entry.coreNumber = coreNumber;
    if (stored.moveTasks !== undefined) entry.moveTasks = stored.moveTasks.map(restoreTask);
    this.#replayed.set(index, entry);
  }

  #namespace({ account, region }: Pick<QueueName, "account" | "region">): Namespace {
    const latest = this.#latest;
    if (latest?.account === account && latest.region === region) return latest;
    const key = `${account}/${region}`;
    const found = this.#namespaces.get(key) ?? { account, region, byName: new Map<string, QueueEntry>() };
    this.#namespaces.set(key, found);
    this.#latest = found;
    return found;
  }

  /** The same settings, the same object. */
  #share(settings: QueueSettings): QueueSettings {
    const key = JSON.stringify(settings);
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    if (this.#shared.size === SHARED_COUNT_MAX) this.#shared.clear();
    this.#shared.set(key, settings);
    return settings;
  }

  /** An entry for a queue that is made now. */
  entryOf(name: QueueName, settings: QueueSettings, tags: ReadonlyMap<string, string>, nowMs: number): QueueEntry {
    const { account, region } = this.#namespace(name);
    const own = { account, region, name: name.name };
    const kept = tags.size === 0 ? NO_TAGS : tags;
    return new QueueEntry(own, this.#nextNumber++, this.#share(settings), kept, nowMs, nowMs);
  }

  /** The whole log has been told. @returns entries that a purge had replaced and that are to be dropped now */
  finishReplay(nowMs: number): readonly QueueEntry[] {
    const superseded: QueueEntry[] = [];
    let highest = this.#core.highestQueueNumber;
    for (const entry of this.#replayed.values()) {
      const { byName } = this.#namespace(entry);
      const other = byName.get(entry.name);
      highest = Math.max(highest, entry.coreNumber, entry.number);
      if (other !== undefined && other.coreNumber > entry.coreNumber) superseded.push(entry);
      else {
        if (other !== undefined) superseded.push(other);
        byName.set(entry.name, entry);
      }
    }
    this.#replayed.clear();
    for (const entry of superseded) this.#giveRules(entry);
    for (const entry of this.entries()) this.#addSource(entry);
    for (const entry of this.entries()) this.#giveRules(entry);
    // Seconds since 2024 stand above any number whose records have all been given up since.
    this.#nextNumber = Math.max(highest + 1, Math.floor(nowMs / 1000) - 1_704_067_200);
    return superseded;
  }

  takeNumber(): number {
    return this.#nextNumber++;
  }

  find(name: QueueName): QueueEntry | undefined {
    return this.#namespaces.get(`${name.account}/${name.region}`)?.byName.get(name.name);
  }

  byArn(arn: string): QueueEntry | undefined {
    const [, , , region = "", account = "", name = ""] = arn.split(":");
    const found = this.find({ region, account, name });
    return found?.arn === arn ? found : undefined;
  }

  *entries(): Iterable<QueueEntry> {
    for (const { byName } of this.#namespaces.values()) yield* byName.values();
  }

  /** Whether dead letters of the queue have somewhere to go. */
  hasDeadLetterQueue(entry: QueueEntry): boolean {
    const target = entry.settings.redrive?.deadLetterTargetArn;
    return target !== undefined && this.byArn(target) !== undefined;
  }

  /** Of a queue that is, or was, by its lasting number. Asked for few: whence dead letters come. */
  arnOf(number: number): string | undefined {
    if (!this.#arnByNumber.has(number)) {
      let arn: string | undefined;
      for (const entry of this.entries()) if (entry.number === number) arn = entry.arn;
      this.#arnByNumber.set(number, arn);
    }
    return this.#arnByNumber.get(number);
  }

  list(account: string, region: string, prefix: string, after: string, countMax: number): QueueEntry[] {
    this.#sorted ??= [...this.entries()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const sorted = this.#sorted;
    const start = prefix > after ? prefix : after;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] as QueueEntry).name < start) low = middle + 1;
      else high = middle;
    }
    const found: QueueEntry[] = [];
    for (let i = low; i < sorted.length && found.length < countMax; i++) {
      const entry = sorted[i] as QueueEntry;
      if (!entry.name.startsWith(prefix)) break;
      if (entry.name > after && entry.account === account && entry.region === region) found.push(entry);
    }
    return found;
  }

  add(entry: QueueEntry): void {
    this.version++;
    this.#namespace(entry).byName.set(entry.name, entry);
    this.#sorted = undefined;
    this.#addSource(entry);
    this.changed(entry);
  }

  remove(entry: QueueEntry): void {
    this.version++;
    entry.isGone = true;
    this.#namespace(entry).byName.delete(entry.name);
    this.#arnByNumber.set(entry.number, entry.arn);
    this.#sorted = undefined;
    this.#removeSource(entry);
    for (const source of this.#sources.get(entry.arn) ?? []) this.#giveRules(source);
  }

  set(entry: QueueEntry, settings: QueueSettings, tags: ReadonlyMap<string, string>, nowMs: number): void {
    this.#removeSource(entry);
    entry.settings = this.#share(settings);
    entry.tags = tags.size === 0 ? NO_TAGS : tags;
    entry.mayBeSealed ||= settings.kmsMasterKeyId !== undefined;
    entry.modifiedMs = nowMs;
    this.#addSource(entry);
    this.#giveRules(entry);
  }

  /** The queue has another index in the core: it, and those whose dead letters it takes, must be told. */
  changed(entry: QueueEntry): void {
    this.#giveRules(entry);
    for (const source of this.#sources.get(entry.arn) ?? []) this.#giveRules(source);
  }

  #addSource(entry: QueueEntry): void {
    const target = entry.settings.redrive?.deadLetterTargetArn;
    if (target === undefined) return;
    const sources = this.#sources.get(target) ?? new Set();
    this.#sources.set(target, sources.add(entry));
  }

  #removeSource(entry: QueueEntry): void {
    const target = entry.settings.redrive?.deadLetterTargetArn;
    if (target === undefined) return;
    const sources = this.#sources.get(target);
    sources?.delete(entry);
    if (sources?.size === 0) this.#sources.delete(target);
  }

  #giveRules(entry: QueueEntry): void {
    const { settings } = entry;
    const target = settings.redrive === undefined ? undefined : this.byArn(settings.redrive.deadLetterTargetArn);
    this.#core.setQueue(entry.index, {
      flags:
        (settings.fifo ? QUEUE_FLAG.fifo : 0) |
        (settings.deduplicationScope === "messageGroup" ? QUEUE_FLAG.scopeGroup : 0) |
        (settings.contentBasedDeduplication ? QUEUE_FLAG.contentBased : 0),
      delayMs: settings.delaySeconds * 1000,
      retentionMs: settings.retentionSeconds * 1000,
      receiveMax: settings.redrive?.maxReceiveCount ?? 0,
      deadLetters: target?.index ?? 0,
      sourceNumber: entry.number,
      inFlightMax: INFLIGHT_COUNT_MAX,
      messageBytesMax: settings.maximumMessageBytes,
    });
  }
}
