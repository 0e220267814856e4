// Off a trace: from when on a message is on disk for certain, and what was confirmed before.
import { type Call, callsIn } from "./trace.ts";
import type { Wire } from "./wire.ts";

export interface Traced {
  readonly cameCount: number;
  readonly confirmedCount: number;
  /** Of those confirmed: before any write that began when they had come was over and synced. */
  readonly earlyCount: number;
  /** Of files that have messages, from the first message to the last confirmation. */
  readonly syncCount: number;
  /** Of the whole trace, by what made it durable and in which kind of file. */
  readonly files: ReadonlyMap<string, number>;
}

/** Writes to one kind of file in the order in which they began. What came after one of them began is in a later one. */
interface Written {
  readonly began: number;
  /** This write and all those before it are synced. */
  durableAt: number;
}

/**
 * By kind of file. Those that took less than half of what was published hold something else: their syncs prove nothing.
 * @param payloadBytes what was published
 */
function writesOf(calls: readonly Call[], payloadBytes: number): ReadonlyMap<string, readonly Written[]> {
  const kinds = new Map<string, { byteCount: number; readonly writes: Written[] }>();
  const unsynced = new Map<string, { readonly ended: number; readonly write: Written }[]>();
  for (const { kind, file, fileKind, byteCount, began, ended, isSynchronous } of calls) {
    if (kind === "wrote") {
      const of = kinds.get(fileKind) ?? { byteCount: 0, writes: [] };
      kinds.set(fileKind, of);
      of.byteCount += byteCount;
      const write: Written = { began, durableAt: isSynchronous ? ended : Number.POSITIVE_INFINITY };
      of.writes.push(write);
      if (!isSynchronous) unsynced.set(file, [...(unsynced.get(file) ?? []), { ended, write }]);
    } else if (kind === "synced" && !isSynchronous) {
      const all = unsynced.get(file) ?? [];
      for (const { ended: over, write } of all) if (over < began) write.durableAt = ended;
      unsynced.set(
        file,
        all.filter(({ ended: over }) => over >= began),
      );
    }
  }
  const large = [...kinds].filter(([, { byteCount }]) => byteCount >= payloadBytes / 2);
  for (const [, { writes }] of large) {
    writes.sort((a, b) => a.began - b.began);
    let last = -1;
    for (const write of writes) {
      last = Math.max(last, write.durableAt);
      write.durableAt = last;
    }
  }
  return new Map(large.map(([kind, { writes }]) => [kind, writes]));
}

/** Of writes in order the first that began after `line`. */
function firstAfter(writes: readonly Written[], line: number): Written | undefined {
  let [low, high] = [0, writes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((writes[middle]?.began ?? 0) > line) high = middle;
    else low = middle + 1;
  }
  return writes[low];
}

interface Publisher {
  readonly wire: Wire;
  /** When each of its messages had come. */
  readonly cameAt: number[];
  /** A confirmation may cover some that had their own. */
  readonly confirmed: Set<number>;
}

/**
 * A message can be on disk once a write that began after all of it had come is over, with those before it, and a sync that
 * began after that has returned. A confirmation that begins to leave before is early, whatever else is in flight. What
 * this does not see is a server that leaves a message out of the next write and confirms it all the same.
 */
export function read(text: string, port: number, wire: () => Wire, payloadBytes: number): Traced {
  const calls = callsIn(text, port);
  const dataKinds = writesOf(calls, payloadBytes);
  const written = [...dataKinds.values()];
  const isDurable = (cameAt: number, leavesAt: number): boolean =>
    written.some((writes) => (firstAfter(writes, cameAt)?.durableAt ?? Number.POSITIVE_INFINITY) < leavesAt);
  const publishers = new Map<string, Publisher>();
  const publisherOf = (connection: string): Publisher => {
    const publisher = publishers.get(connection) ?? { wire: wire(), cameAt: [], confirmed: new Set() };
    publishers.set(connection, publisher);
    return publisher;
  };
  const files = new Map<string, number>();
  let [cameCount, confirmedCount, earlyCount, syncCount, syncsSince] = [0, 0, 0, 0, 0];
  for (const call of calls) {
    if (call.kind === "came") {
      const { wire: of, cameAt } = publisherOf(call.connection);
      const count = of.came(call.bytes);
      cameCount += count - cameAt.length;
      while (cameAt.length < count) cameAt.push(call.ended);
    } else if (call.kind === "synced") {
      const name = `${call.how} of ${call.fileKind}`;
      files.set(name, (files.get(name) ?? 0) + 1);
      if (cameCount > 0 && dataKinds.has(call.fileKind)) syncsSince++;
    } else if (call.kind === "answered") {
      const { wire: of, cameAt, confirmed } = publisherOf(call.connection);
      for (const { first, last } of of.answered(call.bytes)) {
        syncCount += syncsSince;
        syncsSince = 0;
        for (let number = first; number <= last; number++) {
          if (confirmed.has(number)) continue;
          confirmed.add(number);
          confirmedCount++;
          // One that nobody saw come cannot be proved either.
          if (!isDurable(cameAt[number - 1] ?? Number.POSITIVE_INFINITY, call.began)) earlyCount++;
        }
      }
    }
  }
  return { cameCount, confirmedCount, earlyCount, syncCount, files };
}
