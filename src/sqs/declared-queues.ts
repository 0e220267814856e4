// Queues that a configuration file names: checked before the start, and made so at the start.

import type { Broker, Queue, QueueName, QueueSettings } from "../broker/types.ts";
import { applyAttributes, checkTarget, DEFAULT_SETTINGS, differences } from "./attributes.ts";
import { SqsError } from "./errors.ts";
import { isFifoName, isStandardName } from "./names.ts";
import { checkTags } from "./tags.ts";

export interface DeclaredQueue extends QueueName {
  readonly attributes: ReadonlyMap<string, string>; // by their names in the API
  readonly tags: ReadonlyMap<string, string>;
  readonly place: string; // file and line, for messages
}

export interface DeclarationMistake {
  readonly attribute: string | undefined;
  readonly text: string;
}

const REDRIVE = "RedrivePolicy";

/** Everything that can be said without the queues that are there. */
export function checkDeclaredQueue({ name, attributes, tags }: DeclaredQueue): readonly DeclarationMistake[] {
  if (!isStandardName(name) && !isFifoName(name)) {
    const text = "a name has 1 to 80 letters, digits, hyphens and underscores, and a FIFO queue's ends in .fifo";
    return [{ attribute: undefined, text }];
  }
  const fifo = isFifoName(name);
  const fresh: QueueSettings = { ...DEFAULT_SETTINGS, fifo };
  const mistakes: DeclarationMistake[] = [];
  for (const [attribute, text] of attributes) {
    const alone = new Map([[attribute, text]]);
    // This one means something only together with the other.
    const scope = attributes.get("DeduplicationScope");
    if (attribute === "FifoThroughputLimit" && scope !== undefined) alone.set("DeduplicationScope", scope);
    const problem = problemOf(() => applyAttributes(fresh, alone));
    if (problem !== undefined) mistakes.push({ attribute, text: `${attribute} is "${text}": ${problem}` });
  }
  if (mistakes.length === 0) {
    const problem = problemOf(() => {
      const { redrive } = applyAttributes(fresh, attributes);
      if (redrive !== undefined && redrive.deadLetterTargetArn.endsWith(".fifo") !== fifo) {
        throw new SqsError(
          "InvalidParameterValueException",
          `the dead letters of a ${fifo ? "FIFO" : "standard"} queue go to a queue of the same type`,
        );
      }
    });
    if (problem !== undefined)
      mistakes.push({ attribute: attributes.has(REDRIVE) ? REDRIVE : undefined, text: problem });
  }
  const tagProblem = problemOf(() => checkTags(name, tags, tags.size));
  if (tagProblem !== undefined) mistakes.push({ attribute: undefined, text: tagProblem });
  return mistakes;
}

function problemOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof SqsError) return error.message;
    throw error;
  }
}

/**
 * Makes the queues as they are declared: creates what is missing, gives what is there the attributes and tags that are
 * named, and touches nothing else. On disk when it resolves.
 * @param onNote told of each queue that was created or changed, one line
 * @throws Error for what cannot be: dead letters to a queue that is neither there nor declared
 */
export async function declareQueues(
  broker: Broker,
  queues: readonly DeclaredQueue[],
  onNote: (text: string) => void,
): Promise<void> {
  const created = new Set<DeclaredQueue>();
  // Dead letters come last: their targets may be declared further down, and two queues may be each other's.
  await all(queues, (queue) => {
    const attributes = new Map([...queue.attributes].filter(([name]) => name !== REDRIVE));
    const there = broker.find(queue);
    if (there !== undefined) return change(broker, queue, there, attributes, onNote);
    created.add(queue);
    const settings = applyAttributes({ ...DEFAULT_SETTINGS, fifo: isFifoName(queue.name) }, attributes);
    onNote(`Queue ${queue.name} was created, as ${queue.place} says`);
    return new Promise<void>((done) => broker.createQueue(queue, settings, queue.tags, () => done()));
  });
  await all(queues, (queue) => {
    const redrive = queue.attributes.get(REDRIVE);
    const there = broker.find(queue);
    if (redrive === undefined || there === undefined) return undefined;
    return change(broker, queue, there, new Map([[REDRIVE, redrive]]), created.has(queue) ? () => {} : onNote);
  });
}

/** All at once, so that they go to disk together. */
async function all(
  queues: readonly DeclaredQueue[],
  make: (queue: DeclaredQueue) => Promise<void> | undefined,
): Promise<void> {
  const made = queues.map((queue) => {
    try {
      return make(queue);
    } catch (error) {
      const met = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot set up queue ${queue.name} as ${queue.place} says: ${met}`);
    }
  });
  await Promise.all(made);
}

function change(
  broker: Broker,
  queue: DeclaredQueue,
  there: Queue,
  attributes: ReadonlyMap<string, string>,
  onNote: (text: string) => void,
): Promise<void> | undefined {
  const settings = applyAttributes(there.settings, attributes);
  checkTarget({ broker }, queue, settings, attributes);
  const changes = differences(attributes.keys(), there.settings, settings).map(
    ({ name, before, after }) => `${name} ${before ?? "none"} -> ${after ?? "none"}`,
  );
  const tags = new Map([...there.tags, ...queue.tags]);
  for (const [key, value] of queue.tags) if (there.tags.get(key) !== value) changes.push(`tag ${key}`);
  if (changes.length === 0) return undefined;
  checkTags(queue.name, queue.tags, tags.size);
  onNote(`Queue ${queue.name} was changed, as ${queue.place} says: ${changes.join(", ")}`);
  return new Promise((done) => broker.setQueue(there, settings, tags, done));
}
