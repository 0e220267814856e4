// The queues by name, with their settings and tags; what of them the core must know is given to it here.

import { queueArn } from "../base/arn.ts";
import { type Core, QUEUE_FLAG } from "../core/core.ts";
import { INFLIGHT_COUNT_MAX } from "../limits.ts";
import { storedTasks } from "./moves.ts";
import type { MoveTask, Queue, QueueName, QueueSettings } from "./types.ts";

const QUEUE_PAYLOAD_OFFSET = 40; // of a QUEUE record: assembly/record.ts

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
  moveTasks: readonly MoveTask[] = []; // of those that empty it; newest first

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
  }

  get arn(): string {
    return queueArn(this.region, this.account, this.name);
  }
}

/** How a queue's settings stand in the log. Fields are added, never renamed. */
interface StoredQueue {
  readonly version: 1;
  readonly number: number;
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly settings: QueueSettings;
  readonly tags: readonly (readonly [string, string])[];
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly moveTasks?: readonly MoveTask[];
}

export function encodeQueue(entry: QueueEntry): Buffer {
  const stored: StoredQueue = {
    version: 1,
    number: entry.number,
    account: entry.account,
    region: entry.region,
    name: entry.name,
    settings: entry.settings,
    tags: [...entry.tags],
    createdMs: entry.createdMs,
    modifiedMs: entry.modifiedMs,
    ...(entry.moveTasks.length === 0 ? {} : { moveTasks: storedTasks(entry.moveTasks) }),
  };
  return Buffer.from(JSON.stringify(stored));
}

// JSON has no undefined: what was absent is absent again.
function restoreSettings(stored: QueueSettings): QueueSettings {
  return {
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

function keyOf(name: QueueName): string {
  return `${name.account}/${name.region}/${name.name}`;
}

export class Catalogue {
  readonly #core: Core;
  readonly #byKey = new Map<string, QueueEntry>();
  readonly #byArn = new Map<string, QueueEntry>();
  readonly #arnByNumber = new Map<number, string>();
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
      if (this.#replayed.get(index)?.coreNumber === coreNumber) this.#replayed.delete(index);
      return;
    }
    const payload = record.toString("utf8", QUEUE_PAYLOAD_OFFSET, QUEUE_PAYLOAD_OFFSET + record.readUInt32LE(32));
    const stored: StoredQueue = JSON.parse(payload);
    const entry = new QueueEntry(
      stored,
      stored.number,
      restoreSettings(stored.settings),
      new Map(stored.tags),
      stored.createdMs,
      stored.modifiedMs,
    );
    entry.index = index;
    entry.coreNumber = coreNumber;
    entry.moveTasks = (stored.moveTasks ?? []).map(restoreTask);
    this.#replayed.set(index, entry);
    this.#arnByNumber.set(entry.number, entry.arn);
  }

  /** The whole log has been told. @returns entries that a purge had replaced and that are to be dropped now */
  finishReplay(nowMs: number): readonly QueueEntry[] {
    const superseded: QueueEntry[] = [];
    let highest = this.#core.highestQueueNumber;
    for (const entry of this.#replayed.values()) {
      const other = this.#byKey.get(keyOf(entry));
      highest = Math.max(highest, entry.coreNumber, entry.number);
      if (other !== undefined && other.coreNumber > entry.coreNumber) superseded.push(entry);
      else {
        if (other !== undefined) superseded.push(other);
        this.#byKey.set(keyOf(entry), entry);
      }
    }
    this.#replayed.clear();
    for (const entry of superseded) this.#giveRules(entry);
    for (const entry of this.#byKey.values()) {
      this.#byArn.set(entry.arn, entry);
      this.#addSource(entry);
    }
    for (const entry of this.#byKey.values()) this.#giveRules(entry);
    // Seconds since 2024 stand above any number whose records have all been given up since.
    this.#nextNumber = Math.max(highest + 1, Math.floor(nowMs / 1000) - 1_704_067_200);
    return superseded;
  }

  takeNumber(): number {
    return this.#nextNumber++;
  }

  find(name: QueueName): QueueEntry | undefined {
    return this.#byKey.get(keyOf(name));
  }

  byArn(arn: string): QueueEntry | undefined {
    return this.#byArn.get(arn);
  }

  entries(): Iterable<QueueEntry> {
    return this.#byKey.values();
  }

  /** Of a queue that is, or was, by its lasting number. */
  /** Whether dead letters of the queue have somewhere to go. */
  hasDeadLetterQueue(entry: QueueEntry): boolean {
    const target = entry.settings.redrive?.deadLetterTargetArn;
    return target !== undefined && this.#byArn.has(target);
  }

  arnOf(number: number): string | undefined {
    return this.#arnByNumber.get(number);
  }

  list(account: string, region: string, prefix: string, after: string, countMax: number): QueueEntry[] {
    this.#sorted ??= [...this.#byKey.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
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
    this.#byKey.set(keyOf(entry), entry);
    this.#byArn.set(entry.arn, entry);
    this.#arnByNumber.set(entry.number, entry.arn);
    this.#sorted = undefined;
    this.#addSource(entry);
    this.changed(entry);
  }

  remove(entry: QueueEntry): void {
    this.version++;
    entry.isGone = true;
    this.#byKey.delete(keyOf(entry));
    this.#byArn.delete(entry.arn);
    this.#sorted = undefined;
    this.#removeSource(entry);
    for (const source of this.#sources.get(entry.arn) ?? []) this.#giveRules(source);
  }

  set(entry: QueueEntry, settings: QueueSettings, tags: ReadonlyMap<string, string>, nowMs: number): void {
    this.#removeSource(entry);
    entry.settings = settings;
    entry.tags = tags;
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
    const target = settings.redrive === undefined ? undefined : this.#byArn.get(settings.redrive.deadLetterTargetArn);
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
