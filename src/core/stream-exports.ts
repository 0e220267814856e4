// What core.wasm exports for streams, typed by hand as in exports.ts; assembly/index.ts is the other half.
export interface StreamExports {
  subscriptionOpen(
    index: number,
    token: number,
    clientId: number,
    visibilityMs: number,
    processingMs: number,
    batch: number,
    lingerMs: number,
    fields: number,
    groupMax: number,
  ): number;
  subscriptionClose(cell: number, nowMs: number): void;
  subscriptionDetach(cell: number, nowMs: number): void;
  subscriptionUncount(cell: number): void;
  subscriptionMove(cell: number, index: number): void;
  subscriptionPause(cell: number): void;
  subscriptionResume(cell: number): void;
  subscriptionCredit(cell: number, count: number, bytes: number, beyond: number, auto: number): number;
  subscriptionLast(cell: number): number;
  subscriptionOutstanding(cell: number, from: number, countMax: number): number;
  streamNext(): number;
  compose(cell: number, nowMs: number, goesOn: number): number;
  frameStart(): number;
  frameEnd(): number;
  placeCount(): number;
  nameSet(number: number, bytes: number): number;
  settleDeliveries(cell: number, kind: number, ranges: number, visibilityMs: number, nowMs: number): number;
  serveWaiting(nowMs: number): number;
  watchOpen(index: number, wantsEvents: number): number;
  watchClose(index: number): void;
  watchCount(index: number, which: number): number;
  eventsStart(): number;
  eventsCount(): number;
  eventsClear(): void;
  queueOldestMs(index: number): number;
  queuePollers(index: number): number;
  incomingRoom(bytes: number): number;
  incomingStart(): number;
  publisherOpen(hasProducer: number, wantsIds: number, senderBytes: number): number;
  publisherClose(cell: number): void;
  publisherLast(cell: number, index: number, nowMs: number): number;
  publishScan(offset: number, bytes: number): number;
  scannedPublisher(): number;
  scannedFirst(): number;
  scannedCount(): number;
  publish(cell: number, index: number, offset: number, bytes: number, number: number, nowMs: number): void;
}
