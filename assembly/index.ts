// The broker's core: the complete list of what the host may ask. It imports nothing: no clock, no I/O, no chance.
// Instants are milliseconds since the epoch (f64); regions are described in memory.ts, layouts where they are read.
import * as attempt from "./attempt";
import * as blocks from "./blocks";
import * as cache from "./cache";
import * as crc from "./crc32c";
import * as dedup from "./dedup";
import * as deliver from "./deliver";
import * as events from "./events";
import * as fair from "./fair";
import * as frame from "./frame";
import * as group from "./group";
import * as ids from "./ids";
import * as journal from "./journal";
import * as lifecycle from "./lifecycle";
import * as mem from "./memory";
import * as md5 from "./md5";
import * as lanes from "./md5-lanes";
import * as moves from "./moves";
import * as peeking from "./peek";
import * as names from "./names";
import * as nh from "./nh";
import * as outcome from "./outcome";
import * as outline from "./outline";
import * as owner from "./owner";
import * as publishing from "./publish";
import * as queue from "./queue";
import * as replaying from "./replay";
import * as reply from "./reply";
import * as request from "./request";
import * as restoring from "./restore";
import * as segments from "./segments";
import * as sending from "./send";
import * as settle from "./settle";
import * as sha256 from "./sha256";
import * as slab from "./slab";
import * as spans from "./spans";
import * as subscription from "./subscription";
import * as surveying from "./survey";
import * as tail from "./tail";
import * as timers from "./timers";
import { xxh64 } from "./xxh64";

/** Must be called first, once. @returns false when the budget does not even hold the fixed regions */
export function open(budgetBytes: f64, tailBytes: u32, cacheBytes: u32, segmentBytes: u32, segmentHeaderBytes: u32): bool {
  mem.open(budgetBytes);
  mem.openRegions();
  crc.open();
  nh.open();
  sha256.open();
  if (!request.open() || !reply.open()) return false;
  if (!tail.open(tailBytes, segmentBytes, segmentHeaderBytes) || !cache.open(cacheBytes)) return false;
  if (!spans.open()) return false;
  segments.open();
  slab.open();
  queue.open();
  timers.open();
  lifecycle.open();
  group.open();
  dedup.open();
  attempt.open();
  deliver.open();
  blocks.open();
  owner.open();
  names.open();
  frame.open();
  return true;
}

export function inputStart(): u32 { return <u32>mem.inputStart(); }
export function inputBytes(): u32 { return mem.INPUT_BYTES; }
export function outputStart(): u32 { return <u32>mem.outputStart(); }
export function usedBytes(): f64 { return mem.usedBytes(); }

// --- the log -------------------------------------------------------------------------------------------------------
export function headPosition(): f64 { return <f64>tail.head; }
/** Whether the core waits for anything that has not been taken by takeExtent. */
export function isAwaited(): bool { return tail.isAwaited(); }
export function segmentRoom(): f64 { return tail.segmentRoom(); }
export function takeExtent(): u32 { return tail.takeExtent(); }
export function extentStart(): f64 { return <f64>tail.extentStart; }
export function extentAddress(): u32 { return <u32>tail.extentAddress; }
/** Where the record at `position` is in memory, 0 when it must be loaded; `bytes` of it with its padding. */
export function findRecord(position: f64, bytes: u32): u32 { return <u32>cache.find(<u64>position, bytes); }
/** The same of what is in the tail, sealed or not. */
export function findRecent(position: f64): u32 { return <u32>tail.find(<u64>position); }
export function seedOf(segment: u32): u32 { return segments.seedOf(segment); }
export function planLoad(position: f64, bytes: u32): u32 { return cache.plan(<u64>position, bytes); }
/** Where to put `bytes` that were read; addLoad then tells what they are. */
export function takeLoad(bytes: u32): u32 { return <u32>cache.take(bytes); }
export function addLoad(position: f64, bytes: u32): void { cache.add(<u64>position, bytes); }
export function takeAhead(): f64 { return <f64>cache.takeAhead(); }
export function mark(): void { journal.mark(); }
/** @returns false when the segment being written has no room for more than its SEAL */
export function fill(bytesMax: u32): bool { return journal.fill(bytesMax); }
export function endBlock(blockBytes: u32): void { journal.endBlock(blockBytes); }
/** No segment is prepared after the one that ends at `position`; Infinity: there is. */
export function setWritableEnd(position: f64): void {
  tail.setWritableEnd(position == Infinity ? u64.MAX_VALUE : <u64>position);
}
export function hasRoom(bytes: u32): bool { return tail.hasRoom(bytes); }

/** Everything before `position` is on disk: what was sent in it is visible now, and is handed to those who wait. */
export function commit(position: f64, nowMs: f64): bool {
  tail.setDurable(<u64>position);
  lifecycle.commitPending(<u64>position, <u64>nowMs);
  subscription.committed(<u64>position);
  return deliver.serve(<u64>nowMs);
}

export function segmentLiveCount(segment: u32): u32 { return segments.liveCount(segment); }
export function segmentLiveBytes(segment: u32): f64 { return segments.liveBytes(segment); }
export function addSegment(segment: u32): void { segments.add(segment); }
export function removeSegment(segment: u32): void { segments.remove(segment); }

/** What the checksums of records begin with: of `segment`, and unless it is told otherwise of every later one. */
export function setSeed(segment: u32, seed: u32): void { segments.setSeed(segment, seed); }
export function replayBegin(nowMs: f64): void { replaying.begin(nowMs); }
export function replay(bytes: u32, position: f64): u32 { return replaying.replay(bytes, position); }
export function replayIndex(bytes: u32, segment: u32): u32 { return replaying.replayIndex(bytes, segment); }
export function replayConsumed(): u32 { return replaying.consumed; }
export function replayNotices(): u32 { return replaying.noticeCount; }
export function replayLatestMs(): f64 { return replaying.latest(); }
export function replayHighestQueue(): u32 { return replaying.highestQueueNumber(); }
export function replayFindLater(bytes: u32, position: f64): f64 { return replaying.findLater(bytes, position); }
export function replayFinish(nowMs: f64, endPosition: f64): void { replaying.finish(nowMs, endPosition); }
/** To be called until it is done. @returns restore.ts: MORE, DONE or NO_MEMORY */
export function restoreStep(countMax: u32): u32 { return restoring.step(countMax); }

export function survey(bytes: u32, position: f64, forIndex: bool): u32 { return surveying.survey(bytes, position, forIndex); }
/** Entries of what is in the tail, `bytesMax` of it at a time. @returns outline.ts: MORE, SEALED or GONE */
export function outlineRecent(position: f64, end: f64, bytesMax: u32): u32 {
  return outline.recent(<u64>position, <u64>end, bytesMax);
}
/** @returns outline.ts: MORE or TAIL_FULL */
export function outlineUse(bytes: u32, segment: u32, forIndex: bool): u32 { return outline.use(bytes, segment, forIndex); }
export function outlineConsumed(): u32 { return outline.consumed; }
export function outlineQueueBytes(): u32 { return outline.queueBytes; }
export function outlineLiveCount(): u32 { return surveying.liveCount; }
export function outlinePlaces(): u32 { return outline.placeCount; }
export function surveyConsumed(): u32 { return surveying.consumed; }
export function surveyIndexBytes(): u32 { return surveying.indexBytes; }

// --- queues --------------------------------------------------------------------------------------------------------
/** @returns the new queue's index, 0 when memory is used up */
export function queueOpen(number: u32): u32 {
  const index = queue.take();
  if (index != 0) store<u32>(queue.at(index), number);
  return index;
}

export function queueSet(
  index: u32, flags: u32, delayMs: u32, retentionMs: f64, receiveMax: u32, deadLetters: u32, sourceNumber: u32, inFlightMax: u32,
  messageBytesMax: u32,
): void {
  const p = queue.at(index);
  const wasRetentionMs = load<u64>(p, 40);
  const wasDelayMs = load<u32>(p, 48);
  store<u32>(p, (load<u32>(p, 4) & queue.DEAD) | flags, 4);
  store<u64>(p, <u64>retentionMs, 40);
  store<u32>(p, delayMs, 48);
  store<u32>(p, receiveMax, 56);
  store<u32>(p, deadLetters, 60);
  store<u32>(p, sourceNumber, 76);
  store<u32>(p, inFlightMax, 84);
  store<u32>(p, messageBytesMax, 100);
  store<u32>(p, deadLetters != 0 ? queue.number(deadLetters) : 0, 88);
  const redelay = (flags & queue.FIFO) != 0 && wasDelayMs != delayMs && load<u32>(p + queue.DELAYED_COUNT) > 0;
  if (redelay) store<u32>(p, 1, 92);
  if (redelay || <u64>retentionMs < wasRetentionMs) settle.requestSweep();
}

/** Logs the queue's settings: `payloadBytes` at the start of the input region. @returns false: again after a commit */
export function queueLog(index: u32, payloadBytes: u32): bool {
  if (!tail.hasRoom(payloadBytes + 64)) return false;
  const position = journal.queueSettings(index, mem.inputStart(), payloadBytes);
  queue.setConfig(index, position, payloadBytes + 40);
  return true;
}

/** The queue and its messages are no more; the messages' memory comes back with the sweep. @returns false: again after a commit */
export function queueDrop(index: u32): bool {
  if (!tail.hasRoom(64)) return false;
  const p = queue.at(index);
  journal.queueDropped(index, queue.number(index), load<u64>(p, 64));
  queue.releaseConfig(index);
  store<u32>(p, load<u32>(p, 4) | queue.DEAD, 4);
  settle.requestSweep();
  return true;
}

/** Moves those who wait at `from` to `to`, or answers them that the queue is gone. @returns false: read effects, again */
export function queueDismiss(index: u32, gone: bool): bool { return deliver.dismissAll(index, gone); }

export function queueVisible(index: u32): u32 { return load<u32>(queue.at(index) + queue.VISIBLE_COUNT); }
export function queueInFlight(index: u32): u32 { return load<u32>(queue.at(index) + queue.IN_FLIGHT_COUNT); }
export function queueDelayed(index: u32): u32 { return load<u32>(queue.at(index) + queue.DELAYED_COUNT); }

export function queueNoisyGroups(index: u32): u32 { return fair.noisyGroups(index); }
export function queueQuietVisible(index: u32): u32 { return fair.quietCount(index, queue.VISIBLE_COUNT); }
export function queueQuietInFlight(index: u32): u32 { return fair.quietCount(index, queue.IN_FLIGHT_COUNT); }
export function queueQuietDelayed(index: u32): u32 { return fair.quietCount(index, queue.DELAYED_COUNT); }
/** When the message was sent that a receive would hand out next, without noisy groups; 0: there is none. */
export function queueQuietSentMs(index: u32): f64 { return <f64>fair.firstQuietSentMs(index); }

// --- messages ------------------------------------------------------------------------------------------------------
/** Changes nothing that counts: makes ready what the next commands are likely to need. */
export function prepare(): void { slab.prepareSlots(); }

/** Whether there is memory for another batch. */
export function hasSendMemory(): bool { return slab.couldHaveSlots(sending.BATCH_MAX); }

/** `count` entries in the input region. @returns send.ts: OK, BUSY or FULL */
/** What is sent from here on ends with a seal of the data key, whose wrapped form has so many bytes; key 0: with none. */
export function setSeal(wrappedBytes: u32, key: u32): void { sending.setSeal(wrappedBytes, key); }
export function send(index: u32, count: u32, bytes: u32, nowMs: f64): u32 { return sending.send(index, count, bytes, nowMs); }

/** @returns deliver.ts: 0, a waiter's cell, or a code; 0xFFFFFFFB when the tail or the effects are full: again later */
export function receive(
  index: u32, countMax: u32, visibilityMs: u32, waitMs: u32, token: u32, attemptBytes: u32, nowMs: f64,
): u32 {
  if (!tail.hasRoom(deliver.RECEIVE_LOG_BYTES) || !deliver.hasEffectRoom()) return 0xffff_fffb;
  return deliver.receive(index, countMax, visibilityMs, waitMs, token, attemptBytes, <u64>nowMs);
}
export function cancel(waiter: u32, token: u32): void { deliver.cancel(waiter, token); }

export function remove(index: u32, count: u32, nowMs: f64): bool { return settle.remove(index, count, <u64>nowMs) && serve(nowMs); }
export function changeVisibility(index: u32, count: u32, nowMs: f64): bool {
  return settle.changeVisibility(index, count, <u64>nowMs) && serve(nowMs);
}

export function giveBack(index: u32, count: u32, attemptBytes: u32, nowMs: f64): bool {
  return settle.giveBack(index, count, attemptBytes, <u64>nowMs) && serve(nowMs);
}

/** Hands out what can be; what cannot yet is for the next call. Always true, so that it can end a command. */
function serve(nowMs: f64): bool {
  deliver.serve(<u64>nowMs);
  return true;
}

/** @returns moves.ts: the source of the next message that a task would move, or a code */
export function nextSource(index: u32, nowMs: f64): u32 { return moves.nextSource(index, <u64>nowMs); }
/** @returns how many messages went from one queue to the other */
export function move(from: u32, to: u32, source: u32, countMax: u32, nowMs: f64): u32 {
  const count = moves.move(from, to, source, countMax, <u64>nowMs);
  serve(nowMs);
  return count;
}
/** At a start: messages that tasks have moved away from the queue since its settings were logged. */
export function queueMoved(index: u32): u32 { return load<u32>(queue.at(index) + queue.MOVED_COUNT); }
/** A look that changes nothing: peek.ts has the rows. @returns their number, peek.ts: LOST when there is no going on from `slot` */
export function peekVisible(index: u32, slot: u32, generation: u32, countMax: u32, bytesMax: u32, nowMs: f64): u32 {
  return peeking.visible(index, slot, generation, countMax, bytesMax, <u64>nowMs);
}
export function peekHidden(index: u32, slot: u32, what: u32, countMax: u32, bytesMax: u32, nowMs: f64): u32 {
  return peeking.hidden(index, slot, what, countMax, bytesMax, <u64>nowMs);
}
export function peekOne(index: u32, slot: u32, generation: u32): u32 { return peeking.one(index, slot, generation); }
export function peekRowsStart(): u32 { return peeking.rowsStart(); }
export function peekIsFull(): bool { return peeking.isFull; }
export function peekNextSlot(): u32 { return peeking.nextSlot; }
export function peekNextGeneration(): u32 { return peeking.nextGeneration; }

export function effectsStart(): u32 { return deliver.EFFECTS_OFFSET; }
export function effectsEnd(): u32 { return deliver.effectsEnd(); }
export function clearEffects(): void { deliver.clearEffects(); }

// --- whole requests of AWS JSON: request.ts, reply.ts ------------------------------------------------------------------
export function requestStart(): u32 { return <u32>request.requestStart(); }
export function requestBytesMax(): u32 { return request.REQUEST_BYTES; }
export function replyStart(): u32 { return <u32>reply.replyStart(); }
export function idsStart(): u32 { return <u32>ids.idsStart(); }
export function idsBytes(): u32 { return ids.IDS_BYTES; }
export function idsLeft(): u32 { return ids.left(); }
export function idsRefilled(): void { ids.refilled(); }
export function setSender(bytes: u32): void { request.setSender(bytes); }
export function urlStart(): u32 { return <u32>request.urlStart; }
export function urlBytes(): u32 { return request.urlBytes; }
export function urlRepeats(): bool { return request.urlRepeats(); }
export function parseSend(bytes: u32, batch: bool): u32 { return request.parseSend(bytes, batch); }
/** @returns bytes of the answer in the reply region, NOT_TAKEN when nothing was done; so the two below */
export function sendParsed(index: u32, batch: bool, nowMs: f64): u32 {
  if (!request.sendParsed(index, nowMs)) return NOT_TAKEN;
  return batch ? reply.sentBatch(index) : reply.sent(index);
}
export function parseDelete(bytes: u32, batch: bool): bool { return request.parseDelete(bytes, batch); }
export function removeParsed(index: u32, batch: bool, nowMs: f64): u32 {
  // On a FIFO queue a handle can have expired, and that is for the host to say.
  if (queue.isFifo(index) || !request.buildRows(index) || !settle.remove(index, request.count, <u64>nowMs)) return NOT_TAKEN;
  deliver.serve(<u64>nowMs);
  return batch ? reply.deletedBatch() : 0;
}
export function parseReceive(bytes: u32): bool { return request.parseReceive(bytes); }
export function parsedCountMax(): u32 { return request.countMax; }
export function parsedVisibilityMs(): u32 { return request.visibilityMs; }
export function parsedWaitMs(): u32 { return request.waitMs; }
export function parsedWanted(): u32 { return request.wanted; }
/** The answer to a receive: `count` deliveries at `address`. */
export function composeReceived(index: u32, address: u32, count: u32, wanted: u32): u32 {
  const bytes = reply.received(index, address, count, wanted);
  return bytes == 0 ? NOT_TAKEN : bytes;
}
const NOT_TAKEN: u32 = 0xffff_ffff;
// --- streams -------------------------------------------------------------------------------------------------------
/** @returns the subscription's cell, 0 when memory is used up */
export function subscriptionOpen(
  index: u32, token: u32, clientId: u32, visibilityMs: u32, processingMs: u32, batch: u32, lingerMs: u32, fields: u32, groupMax: u32,
): u32 {
  return subscription.open(index, token, clientId, visibilityMs, processingMs, batch, lingerMs, fields, groupMax);
}
export function subscriptionClose(cell: u32, nowMs: f64): void { subscription.close(cell, <u64>nowMs); }
export function subscriptionDetach(cell: u32, nowMs: f64): void { subscription.detach(cell, <u64>nowMs); }
export function subscriptionUncount(cell: u32): void { subscription.uncount(cell); }
export function subscriptionMove(cell: u32, index: u32): void { subscription.moveTo(cell, index); }
export function subscriptionPause(cell: u32): void { subscription.pause(cell); }
export function subscriptionResume(cell: u32): void { subscription.resume(cell); }
/** @returns false when no delivery had the number `beyond` yet */
export function subscriptionCredit(cell: u32, count: u32, bytes: u32, beyond: f64, auto: bool): bool {
  return subscription.setCredit(cell, count, bytes, <u64>beyond, auto);
}
/** The newest delivery number that has been composed. */
export function subscriptionLast(cell: u32): f64 { return <f64>(subscription.composed(subscription.body(cell)) - 1); }
/** Ranges of what is out, from `from` on, into the output region, 16 bytes each: first, last (f64). @returns how many */
export function subscriptionOutstanding(cell: u32, from: f64, countMax: u32): u32 {
  return subscription.outstanding(cell, <u64>from, countMax);
}
/** @returns the host's number for a subscription that has something to be composed, 0 when there is none */
export function streamNext(): u32 {
  const cell = subscription.takeDue();
  return cell == slab.NONE ? 0 : subscription.token(cell);
}
/** @returns frame.ts: the size of the envelope at frameStart, 0, LOAD, NAME or EMPTIED */
export function compose(cell: u32, nowMs: f64, goesOn: bool): u32 { return frame.compose(cell, <u64>nowMs, goesOn); }
export function frameStart(): u32 { return <u32>frame.start; }
export function frameEnd(): u32 { return <u32>frame.filled; }
export function placeCount(): u32 { return frame.placeCount; }
/** A queue's name, `bytes` at the start of the input region. @returns false when memory is used up */
export function nameSet(number: u32, bytes: u32): bool { return names.set(number, mem.inputStart(), bytes); }
/** @returns false when the tail is full: again after a commit */
export function settleDeliveries(cell: u32, kind: u32, ranges: u32, visibilityMs: u32, nowMs: f64): bool {
  return outcome.settle(cell, kind, ranges, visibilityMs, <u64>nowMs) && serve(nowMs);
}
/** Hands out what can be. @returns false when effects or the tail are full: call again */
export function serveWaiting(nowMs: f64): bool { return deliver.serve(<u64>nowMs); }

/** @returns false when memory is used up */
export function watchOpen(index: u32, wantsEvents: bool): bool { return events.open(index, wantsEvents); }
export function watchClose(index: u32): void { events.close(index); }
export function watchCount(index: u32, which: u32): u32 { return events.countOf(index, which); }
export function eventsStart(): u32 { return <u32>events.start(); }
export function eventsCount(): u32 { return events.count; }
export function eventsClear(): void { events.clear(); }
export function queueOldestMs(index: u32): f64 { return deliver.firstSentMs(index); }
export function queuePollers(index: u32): u32 { return deliver.pollers(index); }

/** Where a WebSocket message of `bytes` goes; 0 when memory is used up. */
export function incomingRoom(bytes: u32): u32 { return <u32>publishing.room(bytes); }
export function publisherOpen(hasProducer: bool, wantsIds: bool, senderBytes: u32): u32 {
  return publishing.open(hasProducer, wantsIds, senderBytes);
}
export function publisherClose(cell: u32): void { publishing.close(cell); }
export function publisherLast(cell: u32, index: u32, nowMs: f64): f64 { return <f64>publishing.recall(cell, index, nowMs); }
export function publishScan(offset: u32, bytes: u32): bool { return publishing.scan(offset, bytes); }
/** Where the incoming bytes are. */
export function incomingStart(): u32 { return <u32>publishing.room(0); }
export function scannedPublisher(): u32 { return publishing.scannedPublisher; }
export function scannedFirst(): f64 { return <f64>publishing.scannedFirst; }
export function scannedCount(): u32 { return publishing.scannedCount; }
/** Results: publish.ts. */
export function publish(
  cell: u32, index: u32, offset: u32, bytes: u32, number: f64, nowMs: f64,
): void {
  publishing.publish(cell, index, offset, bytes, <u64>number, nowMs);
}

// --- time ----------------------------------------------------------------------------------------------------------
/** Does what has come due, and a piece of what is swept. @returns false when more is left than could be done at once */
export function tick(nowMs: f64): bool {
  settle.sweep(<u64>nowMs, 65_536);
  const ticked = settle.tick(<u64>nowMs);
  return deliver.serve(<u64>nowMs) && ticked && !settle.isSweeping();
}

/** When tick has something to do next; +Infinity: never. */
export function nextTickMs(): f64 { return timers.nextMs(); }
export function liveMessages(): u32 { return slab.liveSlots(); }

// --- hashes, for tests and for measuring them against the host's -----------------------------------------------------
export function md5Of(bytes: u32): void { md5.md5(mem.inputStart(), bytes, mem.outputStart()); }
/** Of up to four texts that follow one another in the input region; their sizes are at the output region's start. */
export function md5sOf(count: u32): void {
  let start = mem.inputStart();
  for (let i: u32 = 0; i < count; i++) {
    const size = load<u32>(mem.outputStart() + (<usize>i << 2));
    lanes.add(start, size, mem.outputStart() + 16 + (<usize>i << 4));
    start += size;
  }
  lanes.digest();
}
export function sha256Of(bytes: u32): void {
  sha256.begin();
  sha256.update(mem.inputStart(), bytes);
  sha256.end(mem.outputStart(), 32);
}
export function crc32cOf(bytes: u32): u32 { return crc.crc32c(mem.inputStart(), bytes); }
/** Of a multiple of 8 bytes. */
export function xxh64Of(bytes: u32, seed: u64): u64 { return xxh64(mem.inputStart(), bytes, seed); }
export function nhOf(bytes: u32, seed: u64): u64 { return nh.nh(mem.inputStart(), bytes, seed); }
