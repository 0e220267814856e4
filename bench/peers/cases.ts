// What is measured under load: each case has shapes, a short list for every day and a long one.
import type { LoadJob } from "./load.ts";
import type { Peer } from "./server.ts";

export interface Shape {
  readonly name: string;
  readonly job: Pick<LoadJob, "kind" | "bodyBytes" | "inFlight"> &
    Partial<Pick<LoadJob, "perSecond" | "slowCount" | "groupCount">>;
  /** Messages that are queued before. */
  readonly backlog?: number;
}

/** How much of everything a run has. */
export interface Extent {
  /** Of a load's measurement, latencies apart. */
  readonly seconds: number;
  readonly isFull: boolean;
  /** Of backlogs and numbers of queues, 1: as they are named. Less tells that it works, and no figure. */
  readonly scale: number;
}

/** A tail is of few messages: of as many seconds as others take, the slowest of a thousand would be a handful. */
const LATENCY_TIMES = 5;

/** Of a latency's measurement. */
export const latencySeconds = ({ seconds }: Extent): number => seconds * LATENCY_TIMES;

/** Of a shape's measurement. */
export const measuredSeconds = ({ job }: Shape, extent: Extent): number =>
  job.kind === "paced" ? latencySeconds(extent) : extent.seconds;

/** What is measured one by one, and more, is there even of the smallest backlog. */
const SCALED_MIN = 3_000;

export function scaled(count: number, { scale }: Extent): number {
  return Math.max(Math.min(count, SCALED_MIN), Math.round(count * scale));
}

export interface LoadCase {
  readonly name: string;
  readonly title: string;
  readonly quick: readonly Shape[];
  readonly full: readonly Shape[];
  readonly only?: (peer: Peer) => boolean;
}

/** Whether a peer is asked for a case. A bare server takes bodies of one size. */
export function takesPart(peer: Peer, name: string, isFull: boolean): boolean {
  return (peer.cases ?? [name]).includes(name) && (isFull || (peer.quickCases ?? [name]).includes(name));
}

/** What a peer is asked for in a case. */
export function shapesOf(peer: Peer, { name, quick, full, only }: LoadCase, isFull: boolean): readonly Shape[] {
  if (!takesPart(peer, name, isFull) || only?.(peer) === false) return [];
  return (isFull ? full : quick).filter(
    ({ job }) =>
      (peer.role !== "bare" || job.bodyBytes === BODY_BYTES) &&
      job.inFlight >= (peer.inFlightMin ?? 1) &&
      job.inFlight <= (peer.inFlightMax ?? Number.POSITIVE_INFINITY),
  );
}

const count = (value: number): string => value.toLocaleString("en-US");
const size = (bytes: number): string => (bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`);
const SIZES = [64, 256, 1024, 16_384];
const WINDOWS = [1, 64, 1_000, 10_000];
const IN_QUEUE = 100_000;
/** Of large bodies fewer: to fill and drain gigabytes tells no more. */
const IN_QUEUE_BYTES_MAX = 409_600_000;
const BODY_BYTES = 256;

function shapes(kind: "publish" | "consume" | "both", sizes: readonly number[], windows: readonly number[]): Shape[] {
  return sizes.flatMap((bodyBytes) =>
    windows
      // 160 MB of bodies on their way are no queue any more.
      .filter((inFlight) => inFlight * bodyBytes < 100_000_000)
      .map((inFlight) => ({
        name: `${size(bodyBytes)}, ${count(inFlight)} in flight`,
        job: { kind, bodyBytes, inFlight },
        ...(kind === "consume" ? { backlog: Math.min(IN_QUEUE, IN_QUEUE_BYTES_MAX / bodyBytes) } : {}),
      })),
  );
}

function paced(bodyBytes: number, perSecond: number): Shape {
  const job = { kind: "paced", bodyBytes, inFlight: 1_000, perSecond } as const;
  return { name: `${size(bodyBytes)}, ${count(perSecond)}/s`, job };
}

function grouped(groupCount: number): Shape {
  const job = { kind: "both", bodyBytes: 256, inFlight: 1_000, groupCount } as const;
  return { name: `256 B, ${count(groupCount)} ${groupCount === 1 ? "group" : "groups"}`, job };
}

function slowed(slowCount: number): Shape {
  const job = { kind: "both", bodyBytes: 256, inFlight: 1_000, slowCount } as const;
  return { name: `256 B, ${slowCount} slow beside one fast`, job };
}

export const LOAD_CASES: readonly LoadCase[] = [
  {
    name: "publish",
    title: "Published and confirmed, messages/s",
    quick: shapes("publish", [256], [1, 64, 1_000]),
    full: shapes("publish", SIZES, WINDOWS),
  },
  {
    name: "consume",
    title: "A backlog consumed and acknowledged, messages/s",
    quick: shapes("consume", [256], [1_000]),
    full: shapes("consume", SIZES, [64, 1_000, 10_000]),
  },
  {
    name: "both",
    title: "Published, delivered and acknowledged, messages/s",
    quick: shapes("both", [256], [1_000]),
    full: shapes("both", SIZES, WINDOWS),
  },
  {
    name: "latency",
    title: "From the planned instant to the delivery",
    quick: [paced(256, 1_000), paced(256, 5_000)],
    full: [paced(64, 5_000), paced(256, 1_000), paced(256, 5_000), paced(256, 20_000), paced(1024, 5_000)],
  },
  {
    name: "slow",
    title: "Published, delivered and acknowledged by one, beside consumers that do not keep up, messages/s",
    quick: [slowed(1)],
    full: [slowed(1), slowed(10)],
  },
  {
    name: "fifo",
    title: "FIFO queues: published, delivered in order and acknowledged, messages/s",
    quick: [grouped(1_000)],
    full: [grouped(1), grouped(1_000), grouped(100_000)],
    only: ({ hasFifo }) => hasFifo === true,
  },
];
