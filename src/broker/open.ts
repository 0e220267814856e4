// Opens the broker on a log: replays it into a fresh core, and keeps house while it runs.
import type { Clock } from "../base/clock.ts";
import { Core } from "../core/core.ts";
import { KeyError, type KeyProvider } from "../keys/provider.ts";
import { MEMORY_BYTES_MAX, READ_CACHE_BYTES, SEGMENT_BYTES, SEGMENT_HEADER_BYTES, TAIL_BYTES } from "../limits.ts";
import type { LocalLog, OpenedLog } from "../log/local-log.ts";
import type { RecordCodec } from "../log/log.ts";
import { LocalBroker } from "./broker.ts";
import { Catalogue } from "./catalogue.ts";
import { DataKeys } from "./data-keys.ts";
import { Outlines } from "./outlines.ts";
import { Reclaimer } from "./reclaim.ts";
import { Seals } from "./seals.ts";
import { SteadyClock } from "./steady-clock.ts";
import type { StreamBroker } from "./stream-types.ts";
import type { Broker, DirectBroker } from "./types.ts";

/** How often a quiet log is marked and the next segment is prepared, if it could not be before. */
const HOUSEKEEPING_MS = 1_000;
/** How often sealed segments are looked at: soon, for a start reads every byte of those that have no index yet. */
const RECLAIM_MS = 250;
/** Each life that writes adds a salt to the manifest, which goes with its segment: after so many another one is begun. */
const LIVES_PER_SEGMENT_MAX = 128;

export interface OpenBrokerOptions {
  readonly coreWasm: Uint8Array;
  /** Opens the log with the codec given; main decides where it is. */
  readonly openLog: (codec: RecordCodec, segmentBytes: number) => Promise<OpenedLog>;
  readonly onFatal: (error: Error) => void;
  /** Told what somebody has thrown who was answered: a fault of the program, and nobody else's. Without it that is fatal. */
  readonly onFault?: (error: unknown) => void;
  /** Who has the keys of queues with KmsMasterKeyId; absent: nobody, and such queues cannot be sent to. */
  readonly keyProvider?: KeyProvider;
  readonly segmentBytes?: number;
  readonly tailBytes?: number;
  readonly cacheBytes?: number;
  /** The system's clocks if absent. */
  readonly clock?: SteadyClock;
}

const refuse = () => Promise.reject(new KeyError("KmsNotFound", "There is no key management here."));
const NO_KEYS: KeyProvider = { generate: refuse, unwrap: refuse };

export interface OpenedBroker {
  readonly broker: Broker;
  readonly direct: DirectBroker;
  readonly streams: StreamBroker;
  readonly clock: Clock;
  readonly core: Core;
  /** Why sends are refused now, undefined while they are taken. */
  trouble(): string | undefined;
  answerWaiting(): void;
  /** Resolves when everything asked so far is on disk and answered; rejects with the fatal error that prevents it. */
  flush(): Promise<void>;
  /** What was asked is on disk, then everything is closed; rejects as flush() does, with everything closed all the same. */
  close(): Promise<void>;
}

export async function openBroker(options: OpenBrokerOptions): Promise<OpenedBroker> {
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
  const core = Core.load(new WebAssembly.Module(options.coreWasm), {
    budgetBytes: MEMORY_BYTES_MAX,
    tailBytes: options.tailBytes ?? TAIL_BYTES,
    cacheBytes: options.cacheBytes ?? READ_CACHE_BYTES,
    segmentBytes,
    segmentHeaderBytes: SEGMENT_HEADER_BYTES,
  });
  const clock = options.clock ?? new SteadyClock();
  const catalogue = new Catalogue(core);
  const onQueue = (dropped: boolean, record: Buffer) => catalogue.replay(dropped, record);
  const noMemory = () =>
    new Error(
      `Cannot replay the log: its messages need more than the ${MEMORY_BYTES_MAX} bytes of memory that the core may use`,
    );

  const indexedSegments: number[] = [];
  const codec: RecordCodec = {
    begin: (segment, seed) => core.setSeed(segment, seed),
    replay(bytes, position) {
      const { consumedBytes, stop } = core.replay(bytes, position, onQueue);
      if (stop === "noMemory") throw noMemory();
      return { consumedBytes, stop };
    },
    replayIndex(bytes, segment) {
      if (!core.replayIndex(bytes, segment, onQueue)) throw noMemory();
      if (indexedSegments.at(-1) !== segment) indexedSegments.push(segment);
    },
    findLater: (bytes, position) => core.findLater(bytes, position),
  };
  core.beginReplay(clock.nowMs());
  const { log, endPosition, segments, recordSeed } = await options.openLog(codec, segmentBytes);
  core.setSeed(Math.floor(endPosition / segmentBytes) + 1, recordSeed);
  for (const segment of segments) core.addSegment(segment);
  clock.notBefore(core.replayLatestMs);
  const superseded = catalogue.finishReplay(clock.nowMs());
  if (!core.finishReplay(clock.nowMs(), endPosition)) throw noMemory();
  for (const entry of superseded) core.dropQueue(entry.index);

  return run(core, log, clock, catalogue, endPosition, segmentBytes, indexedSegments, options);
}

async function run(
  core: Core,
  log: LocalLog,
  clock: Clock,
  catalogue: Catalogue,
  endPosition: number,
  segmentBytes: number,
  indexedSegments: readonly number[],
  options: OpenBrokerOptions,
): Promise<OpenedBroker> {
  const { onFatal, onFault, keyProvider = NO_KEYS } = options;
  let closed = false;
  let failure: Error | undefined; // told already
  const fail = (error: Error): void => {
    if (error === failure) return;
    failure = error;
    onFatal(error);
  };
  // What was sent under a data key is written before it is forgotten.
  const keys = new DataKeys(keyProvider, clock, (then) => broker.whenWritten(then));
  const seals = new Seals(core, keys, segmentBytes);
  const tailBytes = options.tailBytes ?? TAIL_BYTES;
  const outlines = new Outlines({ core, segmentBytes, headerBytes: SEGMENT_HEADER_BYTES, tailBytes, endPosition });
  const broker: LocalBroker = new LocalBroker({
    core,
    log,
    seals,
    clock,
    catalogue,
    durablePosition: endPosition,
    segmentBytes,
    onWriting: () => outlines.follow(),
    // Whoever asks after the end, or still reads a message, meets a closed log, and gets no answer.
    onFatal: (error) => {
      if (!closed) fail(error);
    },
    onFault: onFault ?? ((error) => fail(error instanceof Error ? error : new Error(String(error)))),
  });
  const reclaimer = new Reclaimer({
    core,
    log,
    outlines,
    segmentBytes,
    headerBytes: SEGMENT_HEADER_BYTES,
    indexedSegments,
    flushed: () => broker.flushed(),
    durablePosition: () => broker.durablePosition,
  });
  if (log.epochCount > LIVES_PER_SEGMENT_MAX) {
    try {
      await log.prepared();
      await broker.fillSegment();
      await reclaimer.run(false); // now: a process that never lives long comes to it in no other way
    } catch (error) {
      await broker.close().catch(() => {}); // it is the same that it says
      await log.close();
      throw error;
    }
  }
  let round = Promise.resolve();
  let closing = false;
  const housekeeping = setInterval(() => {
    broker.markQuiet();
    seals.forget(clock.nowMs());
    catalogue.settle();
    log.maintain();
    broker.tick();
  }, HOUSEKEEPING_MS);
  const reclaiming = setInterval(() => {
    round = reclaimer.run().catch((error: Error) => {
      if (!closing) fail(error);
    });
  }, RECLAIM_MS);
  return {
    broker,
    direct: broker.direct,
    streams: broker.streams,
    clock,
    core,
    trouble: () => broker.trouble,
    answerWaiting: () => broker.answerWaiting(),
    flush: () => broker.flushed(),
    async close() {
      closing = true;
      clearInterval(housekeeping);
      clearInterval(reclaiming);
      log.stopWaiting();
      await round;
      try {
        await broker.close();
      } finally {
        seals.close();
        closed = true;
        await log.close();
      }
    },
  };
}
