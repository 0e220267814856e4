// `wasq publish QUEUE`: each line of standard input is a message.
import { randomUUID } from "node:crypto";
import { type Client, type OutgoingMessage, PublishError, type WasqError } from "../client/index.ts";
import type { PublishCommand } from "./command.ts";
import { InputError, metBy } from "./input.ts";
import { type Line, linesOf } from "./lines.ts";
import { grouped, type Output, Progress } from "./progress.ts";

const LINE_BYTES_MAX = 1 << 20; // the largest message there is
const BATCH_COUNT = 500;
const FAILURES_TOLD = 10;
/** What the command line has for a message's fields: refusals name these. */
const FLAGS: readonly (readonly [field: string, flag: string])[] = [
  ["deduplication_id", "--unique"],
  ["group_id", "--group"],
  ["delay", "--delay"],
];

export interface PublishStreams {
  readonly input: AsyncIterable<Uint8Array>;
  readonly errors: Output;
}

interface Counts {
  published: number;
  refused: number;
  empty: number;
}

/**
 * Resolves when everything that was read is on disk.
 * @returns whether all of it is
 * @throws InputError when the input cannot be read, or not to its end: the lines before that have been published
 */
export async function publishLines(
  client: Client,
  command: PublishCommand,
  { input, errors }: PublishStreams,
  signal: AbortSignal,
): Promise<boolean> {
  let hasWaited = false;
  const publisher = await client.publisher(command.queue, {
    onRefused: ({ code }) => {
      if (!hasWaited) progress.say(`The broker takes nothing for now (${code}); trying again`);
      hasWaited = true;
    },
  });
  const counts: Counts = { published: 0, refused: 0, empty: 0 };
  const progress = new Progress(
    errors,
    () => counts.published,
    (rate) => textOf(counts, rate),
  );
  const refuse = (number: number, text: string): void => {
    counts.refused += 1;
    if (counts.refused <= FAILURES_TOLD) progress.say(`Line ${number} was refused: ${text}`);
    else if (counts.refused === FAILURES_TOLD + 1) progress.say("More lines were refused");
  };
  let ended: unknown;
  let lineCount = 0;
  let unread: InputError | undefined;
  /** Half a line is none: what came after the last whole one is not sent. */
  async function* untilUnread(lines: AsyncGenerator<Line[]>): AsyncGenerator<Line[]> {
    try {
      yield* lines;
    } catch (error) {
      unread = new InputError(metBy(error), lineCount);
    }
  }
  try {
    for await (const lines of untilUnread(linesOf(untilAborted(input, signal), LINE_BYTES_MAX))) {
      lineCount = lines.at(-1)?.number ?? lineCount;
      const numbers: number[] = [];
      const messages: OutgoingMessage[] = [];
      for (const { number, bytes } of lines) {
        if (bytes === undefined) refuse(number, `it has more than ${LINE_BYTES_MAX} bytes`);
        else if (bytes.length === 0) counts.empty += 1;
        else {
          numbers.push(number);
          messages.push(messageOf(command, bytes));
        }
      }
      for (let start = 0; start < messages.length; start += BATCH_COUNT) {
        await publisher.ready();
        if (ended !== undefined) throw ended;
        const batch = messages.slice(start, start + BATCH_COUNT);
        publisher.publishBatch(batch).then(
          () => {
            counts.published += batch.length;
          },
          (error: unknown) => {
            if (!(error instanceof PublishError)) {
              ended = error; // of the publisher, and so of everything
              return;
            }
            counts.published += batch.length - error.failures.length;
            for (const failure of error.failures) {
              refuse(numbers[start + failure.index] ?? 0, `${failure.code} ${withFlag(failure.message)}`);
            }
          },
        );
      }
    }
    await publisher.flush();
    await publisher.close();
    if (ended !== undefined) throw ended as WasqError;
    if (unread !== undefined) throw unread;
  } finally {
    progress.end();
  }
  return counts.refused === 0;
}

function messageOf({ groupId, unique, delayMs }: PublishCommand, body: Uint8Array): OutgoingMessage {
  return {
    body,
    ...(groupId === undefined ? {} : { groupId }),
    ...(unique ? { deduplicationId: randomUUID() } : {}),
    ...(delayMs === undefined ? {} : { delayMs }),
  };
}

function withFlag(message: string): string {
  const flag = FLAGS.find(([field]) => message.includes(field))?.[1];
  return flag === undefined ? message : `${message} (${flag})`;
}

function textOf({ published, refused, empty }: Counts, rate: number): string {
  const parts = [`${grouped(published)} published`];
  if (refused > 0) parts.push(`${grouped(refused)} refused`);
  if (empty > 0) parts.push(`${grouped(empty)} empty lines skipped`);
  return `${parts.join(", ")}, ${grouped(rate)}/s`;
}

/** The input as far as it goes until the signal: what has been read goes on its way. */
async function* untilAborted(input: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const iterator = input[Symbol.asyncIterator]();
  for (;;) {
    const result = await Promise.race([iterator.next(), aborted]);
    if (result === undefined || result.done === true) return;
    yield result.value;
  }
}
