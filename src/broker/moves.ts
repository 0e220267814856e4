// Message move tasks: which there are, and when each may move how much. What a move does to a message is the core's.
//
//   running ──nothing visible is left──► completed
//      ├────no place to move to, 36 h──► failed
//      └────cancel──► cancelling ──on disk──► cancelled
//
// Time is an argument: whoever has a clock calls run() when nextMs has come. A task stands in the log with the settings of
// its source queue, how many it has moved in the records of the moves themselves; so a start finds both, whenever the
// process ended, and goes on where it was.
import { randomUUID } from "node:crypto";
import { type Core, SOURCE } from "../core/core.ts";
import { MOVE_TASK_COUNT_MAX, MOVE_TASK_KEPT_MAX, MOVE_TASK_MS_MAX } from "../limits.ts";
import type { MoveCancelled, MoveFailure, MoveOptions, MoveStarted, MoveTask } from "./types.ts";

/** What all tasks together move before requests have their turn again: some 100 µs of work. */
const PIECE_COUNT_MAX = 256;
/** A task whose time came while the process was busy catches up, but with no more than this much of its rate. */
const CATCH_UP_MS = 100;
/** How soon a task tries again that found no room in the tail, on disk or in memory. */
const RETRY_MS = 20;
/** How often a running task's progress is logged. What was moved since then is counted from the moves at a start. */
const PROGRESS_MS = 5_000;

/** The queue a task empties. */
export interface MoveSource {
  readonly account: string;
  readonly region: string;
  readonly index: number; // in the core
  readonly isGone: boolean;
  moveTasks: readonly MoveTask[]; // newest first, at most MOVE_TASK_KEPT_MAX
}

/** Where messages can go. */
export interface MovePlaces {
  /** The queue that has, or had, this lasting number. */
  arnOf(number: number): string | undefined;
  byArn(arn: string): { readonly index: number } | undefined;
}

interface Running<S> {
  readonly source: S;
  readonly task: { -readonly [K in keyof MoveTask]: MoveTask[K] };
  readonly intervalMs: number; // between two messages, 0: as fast as it goes
  dueMs: number; // of the next message
  loggedMs: number;
  hasProgress: boolean; // since it was logged
}

function isActive({ status }: MoveTask): boolean {
  return status === "running" || status === "cancelling";
}

export class Moves<S extends MoveSource> {
  readonly #core: Core;
  readonly #places: MovePlaces;
  /** Logs the queue's tasks as they are now; `done` comes when they are on disk. */
  readonly #log: (source: S, done: () => void) => void;
  readonly #running = new Map<S, Running<S>>();

  constructor(core: Core, places: MovePlaces, log: (source: S, done: () => void) => void) {
    this.#core = core;
    this.#places = places;
    this.#log = log;
  }

  /** When run() has something to do; +Infinity: never. */
  get nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#running.values()) nextMs = Math.min(nextMs, dueMs);
    return nextMs;
  }

  /** After a replay: tasks that were running go on. */
  resume(sources: Iterable<S>, nowMs: number): void {
    for (const source of sources) {
      const task = source.moveTasks.find(({ status }) => status === "running");
      if (task === undefined) continue;
      const running = this.#add(source, task, nowMs);
      running.task.movedCount += this.#core.movedCount(source.index);
      running.dueMs = task.startedMs + running.task.movedCount * running.intervalMs;
    }
  }

  #add(source: S, task: MoveTask, nowMs: number): Running<S> {
    const { messagesPerSecond } = task;
    const intervalMs = messagesPerSecond === undefined ? 0 : 1000 / messagesPerSecond;
    const dueMs = Number.POSITIVE_INFINITY;
    const running: Running<S> = { source, task, intervalMs, dueMs, loggedMs: nowMs, hasProgress: false };
    this.#running.set(source, running);
    return running;
  }

  start(source: S, options: MoveOptions, nowMs: number, done: (result: MoveStarted) => void): void {
    if (source.moveTasks.some(isActive)) {
      done({ status: "active" });
      return;
    }
    const { account, region } = source;
    const others = [...this.#running.keys()].filter((each) => each.account === account && each.region === region);
    if (others.length >= MOVE_TASK_COUNT_MAX) {
      done({ status: "overLimit" });
      return;
    }
    const task: MoveTask = {
      id: randomUUID(),
      destinationArn: options.destinationArn,
      messagesPerSecond: options.messagesPerSecond,
      startedMs: nowMs,
      status: "running",
      movedCount: 0,
      toMoveCount: this.#core.visibleCount(source.index),
      failure: undefined,
    };
    source.moveTasks = [task, ...source.moveTasks].slice(0, MOVE_TASK_KEPT_MAX);
    const running = this.#add(source, task, nowMs);
    this.#log(source, () => {
      running.dueMs = nowMs; // not before it is on disk
      done({ status: "started", id: task.id });
    });
  }

  /** What was moved stays moved. */
  cancel(source: S, id: string, done: (result: MoveCancelled) => void): void {
    const task = source.moveTasks.find((each) => each.id === id);
    const running = this.#running.get(source);
    if (task === undefined) done({ status: "unknown" });
    else if (running?.task !== task) done({ status: "notActive" });
    else {
      this.#running.delete(source);
      running.task.status = "cancelling";
      this.#log(source, () => {
        running.task.status = "cancelled";
        done({ status: "cancelled", movedCount: task.movedCount });
      });
    }
  }

  /** Moves what is due, a piece at most: call again when nextMs has come. */
  run(nowMs: number): void {
    const due = [...this.#running.values()].filter(({ dueMs }) => dueMs <= nowMs);
    const share = Math.max(1, Math.floor(PIECE_COUNT_MAX / due.length));
    for (const running of due) {
      if (running.source.isGone) this.#running.delete(running.source);
      else if (nowMs - running.task.startedMs >= MOVE_TASK_MS_MAX) this.#end(running, "timedOut");
      else {
        if (running.dueMs < nowMs - CATCH_UP_MS) running.dueMs = nowMs;
        this.#move(running, Math.min(share, allowance(running, nowMs)), nowMs);
      }
    }
  }

  #move(running: Running<S>, countMax: number, nowMs: number): void {
    const { source, task } = running;
    let left = countMax;
    for (;;) {
      const from = this.#core.nextSource(source.index, nowMs);
      if (from === SOURCE.nothing) {
        this.#end(running, undefined);
        return;
      }
      if (left === 0) break;
      const arn = task.destinationArn ?? (from === SOURCE.none ? undefined : this.#places.arnOf(from));
      const destination = arn === undefined ? undefined : this.#places.byArn(arn);
      if (from !== SOURCE.later && destination === undefined) {
        this.#end(running, arn === undefined ? "sourceUnknown" : "destinationGone");
        return;
      }
      const which = task.destinationArn === undefined ? from : SOURCE.any;
      const count =
        destination === undefined ? 0 : this.#core.move(source.index, destination.index, which, left, nowMs);
      if (count === 0) {
        running.dueMs = Math.max(running.dueMs, nowMs + RETRY_MS);
        return;
      }
      left -= count;
      task.movedCount += count;
      running.dueMs += count * running.intervalMs;
      running.hasProgress = true;
    }
    if (running.hasProgress && nowMs - running.loggedMs >= PROGRESS_MS) {
      running.loggedMs = nowMs;
      running.hasProgress = false;
      this.#log(source, () => {});
    }
  }

  /** A crash before this is on disk finds the task running, and it ends once more. */
  #end({ source, task }: Running<S>, failure: MoveFailure | undefined): void {
    this.#running.delete(source);
    task.status = failure === undefined ? "completed" : "failed";
    task.failure = failure;
    this.#log(source, () => {});
  }
}

/** How many messages the rate allows now. */
function allowance({ intervalMs, dueMs }: Pick<Running<MoveSource>, "intervalMs" | "dueMs">, nowMs: number): number {
  return intervalMs === 0 ? Number.POSITIVE_INFINITY : 1 + Math.floor((nowMs - dueMs) / intervalMs);
}

/** How tasks stand in the log: a cancelled one is cancelled from then on. */
export function storedTasks(tasks: readonly MoveTask[]): readonly MoveTask[] {
  return tasks.map((task) => (task.status === "cancelling" ? { ...task, status: "cancelled" } : task));
}
