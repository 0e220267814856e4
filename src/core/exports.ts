// What core.wasm exports, typed by hand; assembly/index.ts is the other half. Wasm has no unsigned integers: a u32
// comes back signed, and `>>> 0` makes it what it is. A bool comes back as 0 or 1.
import type { StreamExports } from "./stream-exports.ts";

export interface CoreExports extends StreamExports {
  readonly memory: WebAssembly.Memory;
  open(
    budgetBytes: number,
    tailBytes: number,
    cacheBytes: number,
    segmentBytes: number,
    segmentHeaderBytes: number,
  ): number;
  inputStart(): number;
  inputBytes(): number;
  outputStart(): number;
  usedBytes(): number;
  headPosition(): number;
  isAwaited(): number;
  segmentRoom(): number;
  takeExtent(): number;
  extentStart(): number;
  extentAddress(): number;
  findRecord(position: number, bytes: number): number;
  planLoad(position: number, bytes: number): number;
  takeLoad(bytes: number): number;
  addLoad(position: number, bytes: number): void;
  takeAhead(): number;
  mark(): void;
  fill(bytesMax: number): number;
  endBlock(blockBytes: number): void;
  setWritableEnd(position: number): void;
  hasRoom(bytes: number): number;
  commit(position: number, nowMs: number): number;
  segmentLiveCount(segment: number): number;
  segmentLiveBytes(segment: number): number;
  addSegment(segment: number): void;
  removeSegment(segment: number): void;
  setSeed(segment: number, seed: number): void;
  seedOf(segment: number): number;
  findRecent(position: number): number;
  setSeal(wrappedBytes: number, key: number): void;
  replayBegin(nowMs: number): void;
  replay(bytes: number, position: number): number;
  replayIndex(bytes: number, segment: number): number;
  replayConsumed(): number;
  replayNotices(): number;
  replayLatestMs(): number;
  replayHighestQueue(): number;
  replayFindLater(bytes: number, position: number): number;
  replayFinish(nowMs: number, endPosition: number): void;
  restoreStep(countMax: number): number;
  survey(bytes: number, position: number, forIndex: number): number;
  outlineRecent(position: number, end: number, bytesMax: number): number;
  outlineUse(bytes: number, segment: number, forIndex: number): number;
  outlineConsumed(): number;
  outlineQueueBytes(): number;
  outlineLiveCount(): number;
  outlinePlaces(): number;
  surveyConsumed(): number;
  surveyIndexBytes(): number;
  queueOpen(number: number): number;
  queueSet(
    index: number,
    flags: number,
    delayMs: number,
    retentionMs: number,
    receiveMax: number,
    deadLetters: number,
    sourceNumber: number,
    inFlightMax: number,
    messageBytesMax: number,
  ): void;
  queueLog(index: number, payloadBytes: number): number;
  queueDrop(index: number): number;
  queueDismiss(index: number, gone: number): number;
  queueVisible(index: number): number;
  queueInFlight(index: number): number;
  queueDelayed(index: number): number;
  queueNoisyGroups(index: number): number;
  queueQuietVisible(index: number): number;
  queueQuietInFlight(index: number): number;
  queueQuietDelayed(index: number): number;
  queueQuietSentMs(index: number): number;
  prepare(): void;
  hasSendMemory(): number;
  send(index: number, count: number, bytes: number, nowMs: number): number;
  receive(
    index: number,
    countMax: number,
    visibilityMs: number,
    waitMs: number,
    token: number,
    attemptBytes: number,
    nowMs: number,
  ): number;
  cancel(waiter: number, token: number): void;
  remove(index: number, count: number, nowMs: number): number;
  giveBack(index: number, count: number, attemptBytes: number, nowMs: number): number;
  changeVisibility(index: number, count: number, nowMs: number): number;
  nextSource(index: number, nowMs: number): number;
  move(from: number, to: number, source: number, countMax: number, nowMs: number): number;
  queueMoved(index: number): number;
  peekVisible(
    index: number,
    slot: number,
    generation: number,
    countMax: number,
    bytesMax: number,
    nowMs: number,
  ): number;
  peekHidden(index: number, slot: number, what: number, countMax: number, bytesMax: number, nowMs: number): number;
  peekOne(index: number, slot: number, generation: number): number;
  peekRowsStart(): number;
  peekIsFull(): number;
  peekNextSlot(): number;
  peekNextGeneration(): number;
  requestStart(): number;
  requestBytesMax(): number;
  replyStart(): number;
  idsStart(): number;
  idsBytes(): number;
  idsLeft(): number;
  idsRefilled(): void;
  setSender(bytes: number): void;
  urlStart(): number;
  urlBytes(): number;
  urlRepeats(): number;
  parseSend(bytes: number, batch: number): number;
  sendParsed(index: number, batch: number, nowMs: number): number;
  parseDelete(bytes: number, batch: number): number;
  removeParsed(index: number, batch: number, nowMs: number): number;
  parseReceive(bytes: number): number;
  parsedCountMax(): number;
  parsedVisibilityMs(): number;
  parsedWaitMs(): number;
  parsedWanted(): number;
  composeReceived(index: number, address: number, count: number, wanted: number): number;
  effectsStart(): number;
  effectsEnd(): number;
  clearEffects(): void;
  tick(nowMs: number): number;
  nextTickMs(): number;
  liveMessages(): number;
  md5Of(bytes: number): void;
  md5sOf(count: number): void;
  sha256Of(bytes: number): void;
  crc32cOf(bytes: number): number;
  xxh64Of(bytes: number, seed: bigint): bigint;
  nhOf(bytes: number, seed: bigint): bigint;
}
