// The queues by name, with their settings and tags; what of them the core must know is given to it here.

import { queueArn } from "../base/arn.ts";
import { type Core, QUEUE_FLAG, type QueueRules } from "../core/core.ts";
import { INFLIGHT_COUNT_MAX } from "../limits.ts";
import { NO_TAGS, QueueEntry } from "./queue-entry.ts";
import { QueueRecordReader, UNSAID, usual } from "./queue-record.ts";
import { QueueRows } from "./queue-rows.ts";
import { RowNames } from "./row-names.ts";
import type { QueueName, QueueSettings } from "./types.ts";

/** Different settings that are kept to be shared, the usual ones among them. */
const SHARED_COUNT_MAX = 1_024;
/** Plain queues that are kept as objects after they were asked for; the oldest go all at once. */
const AWAKE_COUNT_MAX = 8_192;
/** Looked through at a time, which is more than come to rest at a time. */
const SETTLED_COUNT_MAX = 4 * AWAKE_COUNT_MAX;

/** A plain queue that was asked for some time ago: its row is written, and whoever still has its entry keeps it. */
interface Resting {
  readonly namespace: Namespace;
  readonly name: string;
  readonly index: number;
  readonly entry: WeakRef<QueueEntry>;
}

/** The queues of an account in a region, by name: as an object, or else by the index of the row that tells what it is. */
interface Namespace {
  readonly id: number;
  readonly account: string;
  readonly region: string;
  readonly held: Map<string, QueueEntry | Resting>;
  /** May have names of what is held, too, with the index that it has: its row tells nothing then. */
  readonly rows: RowNames;
  sorted: string[] | undefined;
}

export class Catalogue {
  readonly #core: Core;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #namespaceById: Namespace[] = [];
  #latest: Namespace | undefined; // mostly the next one, too
  readonly #rows = new QueueRows();
  #awake: QueueEntry[] = []; // may have become rows since
  #resting: Resting[] = [];
  readonly #arnByNumber = new Map<number, string | undefined>(); // of those that are gone, and those once asked for
  readonly #shared: QueueSettings[] = [UNSAID];
  readonly #sharedIds = new Map<string, number>([[JSON.stringify(UNSAID), 0]]);
  readonly #idBySettings = new WeakMap<QueueSettings, number>([[UNSAID, 0]]);
  readonly #sources = new Map<string, Set<QueueEntry>>(); // dead-letter target's ARN to those who name it
  readonly #records = new QueueRecordReader();
  #replayed: (QueueEntry | string | undefined)[] = []; // by index, while the log is replayed; a name has a row
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
      const gone = this.#replayed[index];
      if (gone === undefined) return;
      const entry = typeof gone === "string" ? this.#entryOfRow(index, gone) : gone;
      if (entry.coreNumber !== coreNumber) return;
      this.#arnByNumber.set(entry.number, entry.arn);
      this.#replayed[index] = undefined;
      return;
    }
    const recorded = this.#records.read(record);
    const { name, number, createdMs, rest } = recorded;
    const { id, account, region } = this.#namespace(recorded);
    if (rest === undefined) {
      this.#rows.set(index, { number, coreNumber, createdMs, namespaceId: id, settingsId: 0 });
      this.#replayed[index] = name;
      return;
    }
    const settings = rest.settings === undefined ? UNSAID : this.#share(rest.settings);
    const tags = rest.tags.size === 0 ? NO_TAGS : rest.tags;
    const entry = new QueueEntry({ account, region, name }, number, settings, tags, createdMs, rest.modifiedMs);
    entry.index = index;
    entry.coreNumber = coreNumber;
    if (rest.moveTasks.length > 0) entry.moveTasks = rest.moveTasks;
    this.#replayed[index] = this.#writeRow(entry, id) ? name : entry;
  }

  #namespace({ account, region }: Pick<QueueName, "account" | "region">): Namespace {
    const latest = this.#latest;
    if (latest?.account === account && latest.region === region) return latest;
    const key = `${account}/${region}`;
    let found = this.#namespaces.get(key);
    if (found === undefined) {
      found = {
        id: this.#namespaceById.length,
        account,
        region,
        held: new Map(),
        rows: new RowNames(),
        sorted: undefined,
      };
      this.#namespaceById.push(found);
      this.#namespaces.set(key, found);
    }
    this.#latest = found;
    return found;
  }

  /** The same settings, the same object. */
  #share(settings: QueueSettings): QueueSettings {
    const known = this.#idBySettings.get(settings);
    if (known !== undefined) return settings;
    const own = usual(settings);
    if (own === UNSAID) return own;
    const key = JSON.stringify(own);
    const id = this.#sharedIds.get(key);
    if (id !== undefined) return this.#shared[id] as QueueSettings;
    if (this.#shared.length === SHARED_COUNT_MAX) return own;
    this.#sharedIds.set(key, this.#shared.length);
    this.#idBySettings.set(own, this.#shared.length);
    this.#shared.push(own);
    return own;
  }

  // --- rows -----------------------------------------------------------------------------------------------------

  /** @returns false if the queue is more than a row can tell */
  #writeRow(entry: QueueEntry, namespaceId: number): boolean {
    const settingsId = entry.isPlain ? this.#idBySettings.get(entry.settings) : undefined;
    if (settingsId === undefined) return false;
    const { index, number, coreNumber, createdMs } = entry;
    this.#rows.set(index, { number, coreNumber, createdMs, namespaceId, settingsId });
    return true;
  }

  #entryOfRow(index: number, name: string): QueueEntry {
    const rows = this.#rows;
    const { account, region } = this.#namespaceById[rows.namespaceId(index)] as Namespace;
    const settings = this.#shared[rows.settingsId(index)] as QueueSettings;
    const createdMs = rows.createdMs(index);
    const full = { account, region, name };
    const entry = new QueueEntry(full, rows.number(index), settings, NO_TAGS, createdMs, createdMs);
    entry.index = index;
    entry.coreNumber = rows.coreNumber(index);
    return entry;
  }

  #hold(namespace: Namespace, entry: QueueEntry): QueueEntry {
    namespace.held.set(entry.name, entry);
    if (this.#awake.length >= AWAKE_COUNT_MAX) this.#rest();
    this.#awake.push(entry);
    return entry;
  }

  /** Those held for long become rows, as soon as nobody else has their entries: there is never a second one. */
  #rest(): void {
    this.settle();
    for (const entry of this.#awake) {
      const namespace = this.#namespace(entry);
      const { name, index } = entry;
      if (namespace.held.get(name) !== entry || !this.#writeRow(entry, namespace.id)) continue;
      const one: Resting = { namespace, name, index, entry: new WeakRef(entry) };
      namespace.held.set(name, one);
      this.#resting.push(one);
    }
    this.#awake = [];
  }

  /** Looks through some of those that rest: whose entry nobody has any more, is a row. */
  settle(): void {
    for (const one of this.#resting.splice(0, SETTLED_COUNT_MAX)) {
      const { held, rows } = one.namespace;
      if (held.get(one.name) !== one) continue;
      if (one.entry.deref() === undefined && rows.set(one.name, one.index)) held.delete(one.name);
      else this.#resting.push(one);
    }
  }

  /** The entry has changed, or is about to be logged: no row tells what it is. */
  keep(entry: QueueEntry): void {
    const namespace = this.#namespace(entry);
    if (!entry.isGone && namespace.held.get(entry.name) !== entry) this.#hold(namespace, entry);
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
    this.#replayed.forEach((replayed, index) => {
      if (replayed === undefined) return;
      const isRow = typeof replayed === "string";
      const namespace = isRow
        ? (this.#namespaceById[this.#rows.namespaceId(index)] as Namespace)
        : this.#namespace(replayed);
      const { held, rows } = namespace;
      const name = isRow ? replayed : replayed.name;
      if (isRow) highest = Math.max(highest, this.#rows.coreNumber(index), this.#rows.number(index));
      else highest = Math.max(highest, replayed.coreNumber, replayed.number);
      const other = this.#at(namespace, name);
      if (other === undefined && isRow && rows.set(name, index)) {
        const settings = this.#shared[this.#rows.settingsId(index)] as QueueSettings;
        this.#core.setQueue(index, rulesOf(settings, this.#rows.number(index), 0));
        return;
      }
      const entry = isRow ? this.#entryOfRow(index, name) : replayed;
      if (other === undefined) {
        held.set(name, entry);
        return;
      }
      const before = this.#entryAt(other, name);
      const isNewer = before.coreNumber <= entry.coreNumber;
      if (isNewer) {
        held.set(name, entry);
        rows.delete(name);
      }
      if (!isNewer) superseded.push(entry);
      else superseded.push(before);
    });
    this.#replayed = [];
    for (const entry of superseded) this.#giveRules(entry);
    for (const entry of this.held()) this.#addSource(entry);
    for (const entry of this.held()) this.#giveRules(entry);
    // Seconds since 2024 stand above any number whose records have all been given up since.
    this.#nextNumber = Math.max(highest + 1, Math.floor(nowMs / 1000) - 1_704_067_200);
    return superseded;
  }

  takeNumber(): number {
    return this.#nextNumber++;
  }

  find(name: QueueName): QueueEntry | undefined {
    const namespace = this.#namespaces.get(`${name.account}/${name.region}`);
    if (namespace === undefined) return undefined;
    const found = this.#at(namespace, name.name);
    if (found === undefined) return undefined;
    const entry = found instanceof QueueEntry ? found : this.#hold(namespace, this.#entryAt(found, name.name));
    entry.isKnown = true;
    return entry;
  }

  byArn(arn: string): QueueEntry | undefined {
    const [, , , region = "", account = "", name = ""] = arn.split(":");
    const found = this.find({ region, account, name });
    return found?.arn === arn ? found : undefined;
  }

  #at({ held, rows }: Namespace, name: string): QueueEntry | Resting | number | undefined {
    return held.get(name) ?? rows.get(name);
  }

  #entryAt(found: QueueEntry | Resting | number, name: string): QueueEntry {
    if (found instanceof QueueEntry) return found;
    if (typeof found === "number") return this.#entryOfRow(found, name);
    return found.entry.deref() ?? this.#entryOfRow(found.index, name);
  }

  /** Those that are objects now: all of which there is more to say than of a plain one. */
  *held(): Iterable<QueueEntry> {
    for (const { held } of this.#namespaceById) {
      for (const found of held.values()) if (found instanceof QueueEntry) yield found;
    }
  }

  #nameOf(number: number): QueueName | undefined {
    for (const { account, region, held, rows } of this.#namespaceById) {
      for (const [name, found] of held) {
        const own = found instanceof QueueEntry ? found.number : this.#rows.number(found.index);
        if (own === number) return { account, region, name };
      }
      const name = rows.nameWhere((index) => this.#rows.number(index) === number);
      if (name !== undefined) return { account, region, name };
    }
    return undefined;
  }

  /** Whether dead letters of the queue have somewhere to go. */
  hasDeadLetterQueue(entry: QueueEntry): boolean {
    const target = entry.settings.redrive?.deadLetterTargetArn;
    return target !== undefined && this.byArn(target) !== undefined;
  }

  /** Of a queue that is, or was, by its lasting number. Asked for few: whence dead letters come. */
  arnOf(number: number): string | undefined {
    if (!this.#arnByNumber.has(number)) {
      const name = this.#nameOf(number);
      this.#arnByNumber.set(number, name === undefined ? undefined : queueArn(name.region, name.account, name.name));
    }
    return this.#arnByNumber.get(number);
  }

  list(account: string, region: string, prefix: string, after: string, countMax: number): QueueEntry[] {
    const namespace = this.#namespaces.get(`${account}/${region}`);
    if (namespace === undefined) return [];
    namespace.sorted ??= [...new Set([...namespace.held.keys(), ...namespace.rows.names()])].sort();
    const { sorted } = namespace;
    const start = prefix > after ? prefix : after;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle] as string) < start) low = middle + 1;
      else high = middle;
    }
    const found: QueueEntry[] = [];
    for (let i = low; i < sorted.length && found.length < countMax; i++) {
      const name = sorted[i] as string;
      if (!name.startsWith(prefix)) break;
      const entry = name > after ? this.find({ account, region, name }) : undefined;
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /** To be followed by made(). */
  add(entry: QueueEntry): void {
    this.version++;
    const namespace = this.#namespace(entry);
    namespace.sorted = undefined;
    namespace.held.set(entry.name, entry);
    this.#addSource(entry);
    this.changed(entry);
  }

  /** What add() was told of is on disk: a row from now on, unless somebody has looked it up meanwhile. */
  made(entry: QueueEntry): void {
    const namespace = this.#namespace(entry);
    const { held, rows } = namespace;
    if (held.get(entry.name) !== entry) return;
    const isRow = !entry.isKnown && this.#writeRow(entry, namespace.id) && rows.set(entry.name, entry.index);
    if (isRow) held.delete(entry.name);
    else this.#hold(namespace, entry);
  }

  remove(entry: QueueEntry): void {
    this.version++;
    entry.isGone = true;
    const namespace = this.#namespace(entry);
    namespace.held.delete(entry.name);
    namespace.rows.delete(entry.name);
    namespace.sorted = undefined;
    this.#arnByNumber.set(entry.number, entry.arn);
    this.#removeSource(entry);
    for (const source of this.#sources.get(entry.arn) ?? []) this.#giveRules(source);
  }

  set(entry: QueueEntry, settings: QueueSettings, tags: ReadonlyMap<string, string>, nowMs: number): void {
    this.#removeSource(entry);
    entry.settings = this.#share(settings);
    entry.tags = tags.size === 0 ? NO_TAGS : tags;
    entry.mayBeSealed ||= settings.kmsMasterKeyId !== undefined;
    entry.modifiedMs = nowMs;
    this.keep(entry);
    this.#addSource(entry);
    this.#giveRules(entry);
  }

  /** The queue has another index in the core: it, and those whose dead letters it takes, must be told. */
  changed(entry: QueueEntry): void {
    this.#namespace(entry).rows.delete(entry.name);
    this.keep(entry);
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
    this.#core.setQueue(entry.index, rulesOf(settings, entry.number, target?.index ?? 0));
  }
}

function rulesOf(settings: QueueSettings, number: number, deadLetters: number): QueueRules {
  return {
    flags:
      (settings.fifo ? QUEUE_FLAG.fifo : 0) |
      (settings.deduplicationScope === "messageGroup" ? QUEUE_FLAG.scopeGroup : 0) |
      (settings.contentBasedDeduplication ? QUEUE_FLAG.contentBased : 0),
    delayMs: settings.delaySeconds * 1000,
    retentionMs: settings.retentionSeconds * 1000,
    receiveMax: settings.redrive?.maxReceiveCount ?? 0,
    deadLetters,
    sourceNumber: number,
    inFlightMax: INFLIGHT_COUNT_MAX,
    messageBytesMax: settings.maximumMessageBytes,
  };
}
