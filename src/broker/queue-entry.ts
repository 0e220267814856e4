// A queue as the broker holds it.
import { queueArn } from "../base/arn.ts";
import type { MoveTask, Queue, QueueName, QueueSettings } from "./types.ts";

// A million queues that are as they were made share what they have in common.
export const NO_TASKS: readonly MoveTask[] = [];
export const NO_TAGS: ReadonlyMap<string, string> = new Map();

/** A purge changes `index` and `coreNumber`; `number` lasts as long as the queue. */
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
  /** Somebody has looked it up, and may have it still. */
  isKnown = false;
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

  /** Nothing but its settings tells it from another that was made at the same time. */
  get isPlain(): boolean {
    const { settings } = this;
    return (
      this.tags.size === 0 &&
      this.modifiedMs === this.createdMs &&
      this.moveTasks.length === 0 &&
      !this.isGone &&
      !this.mayBeSealed &&
      settings.kmsMasterKeyId === undefined &&
      settings.redrive === undefined
    );
  }
}
