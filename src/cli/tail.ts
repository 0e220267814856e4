// `wasq tail QUEUE`: what is sent to a queue, line by line; with --ack, what is received from it.
import type { Writable } from "node:stream";
import type { Client, WatchUpdate } from "../client/index.ts";
import type { TailCommand } from "./command.ts";
import { grouped, type Output, Progress } from "./progress.ts";

const PREFETCH = 1_000;
const TAKEN_MAX = 1_000;
const NOBODY_READS: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"]);

/** What was to be printed is not, nor deleted. */
export class OutputError extends Error {
  override name = "OutputError";

  constructor(cause: Error) {
    super(`Cannot write to standard output: ${cause.message}`, { cause });
  }
}

export interface TailStreams {
  readonly output: Writable;
  readonly errors: Output;
}

/** Resolves when the signal was aborted, the count is reached, the queue deleted, or nobody reads any more. */
export async function tail(
  client: Client,
  command: TailCommand,
  streams: TailStreams,
  signal: AbortSignal,
): Promise<void> {
  if (command.ack) await consume(client, command, streams, signal);
  else await follow(client, command, streams, signal);
}

async function consume(client: Client, { queue, countMax }: TailCommand, streams: TailStreams, signal: AbortSignal) {
  const prefetch = Math.min(PREFETCH, countMax);
  const stream = await client.subscribe(queue, { prefetch, batchMessages: prefetch });
  const onAbort = (): void => void stream.drain();
  signal.addEventListener("abort", onAbort, { once: true });
  let printed = 0;
  let acked = 0;
  const progress = new Progress(
    streams.errors,
    () => printed,
    (rate) => {
      return `${grouped(printed)} received, ${grouped(acked)} deleted, ${grouped(rate)}/s`;
    },
  );
  const acks: Promise<void>[] = [];
  try {
    while (printed < countMax && !signal.aborted) {
      const messages = await stream.take(Math.min(TAKEN_MAX, countMax - printed));
      if (messages.length === 0) break;
      progress.erase();
      // Deleted only when it is out of our hands: who reads may have gone.
      if (
        !(await print(
          streams.output,
          messages.map(({ body }) => body),
        ))
      )
        break;
      printed += messages.length;
      for (const message of messages) {
        const ack = message.ack().then(
          () => {
            acked += 1;
          },
          (error: Error) => progress.say(`Message ${message.id} was not deleted: ${error.message}`),
        );
        acks.push(ack);
      }
      if (acks.length > PREFETCH) await Promise.all(acks.splice(0));
    }
    await Promise.all(acks);
    await stream.close();
  } finally {
    signal.removeEventListener("abort", onAbort);
    progress.end();
  }
  await stream.ended;
}

async function follow(client: Client, { queue, countMax }: TailCommand, streams: TailStreams, signal: AbortSignal) {
  const watch = await client.watch(queue, { events: true, bodies: true });
  const onAbort = (): void => void watch.close();
  signal.addEventListener("abort", onAbort, { once: true });
  let sent = 0;
  let skipped = 0;
  let state: WatchUpdate["state"];
  const progress = new Progress(
    streams.errors,
    () => sent,
    (rate) => {
      const parts = [`${grouped(sent)} sent`];
      if (skipped > 0) parts.push(`${grouped(skipped)} events not shown`);
      if (state !== undefined) {
        parts.push(`${grouped(state.visible)} visible`, `${grouped(state.inFlight)} in flight`);
        parts.push(`${grouped(state.delayed)} delayed`);
      }
      return `${parts.join(", ")}, ${grouped(rate)}/s`;
    },
  );
  try {
    for await (const update of watch) {
      state = update.state ?? state;
      skipped += update.skippedCount;
      const bodies = update.events.flatMap(({ kind, body }) => (kind === "SENT" && body !== undefined ? [body] : []));
      const wanted = bodies.slice(0, countMax - sent);
      if (wanted.length === 0) continue;
      progress.erase();
      if (!(await print(streams.output, wanted))) break;
      sent += wanted.length;
      if (sent >= countMax) break;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    progress.end();
  }
}

/** Whether they were taken: false when nobody reads any more. @throws OutputError when they cannot be written, to a full disk */
function print(output: Writable, bodies: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    output.write(bodies.map((body) => `${body}\n`).join(""), (error) => {
      if (!error) resolve(true);
      else if (NOBODY_READS.has("code" in error ? String(error.code) : "")) resolve(false);
      else reject(new OutputError(error));
    });
  });
}
