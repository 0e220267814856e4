// Runs one command: connects, hears signals, says goodbye. Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted
// before it was done.
import { connect, WasqError } from "../client/index.ts";
import type { Command } from "./command.ts";
import { InputError, standardInput } from "./input.ts";
import { publishLines } from "./publish.ts";
import { OutputError, tail } from "./tail.ts";

const FAILED = 1;
const INTERRUPTED = 130;

/** @returns the exit code */
export async function runCommand(command: Command, version: string): Promise<number> {
  const controller = new AbortController();
  const connecting = new AbortController(); // afterwards an interrupted command still settles and confirms
  const giveUp = (): void => connecting.abort(new WasqError("CLOSED", "Interrupted"));
  controller.signal.addEventListener("abort", giveUp);
  const { stdout, stderr } = process;
  stdout.on("error", () => {}); // nobody reads: the write that met it says so
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(INTERRUPTED); // asked twice
      controller.abort();
    });
  }
  try {
    const client = await connect(command.endpoint, {
      clientName: `wasq ${command.name} ${version}`,
      signal: connecting.signal,
      ...(command.region === undefined ? {} : { region: command.region }),
      ...(command.credentials === undefined ? {} : { credentials: command.credentials }),
      onChange: (change) => {
        if (change.kind === "disconnected") stderr.write(`${change.error.message}; trying again\n`);
      },
    });
    controller.signal.removeEventListener("abort", giveUp);
    let isDone = true;
    try {
      if (command.name === "tail") await tail(client, command, { output: stdout, errors: stderr }, controller.signal);
      else isDone = await publishLines(client, command, { input: standardInput(), errors: stderr }, controller.signal);
    } finally {
      await client.close();
    }
    if (command.name === "publish" && controller.signal.aborted) return INTERRUPTED;
    return isDone ? 0 : FAILED;
  } catch (error) {
    if (connecting.signal.aborted) return INTERRUPTED;
    stderr.write(`${textOf(error)}\n`);
    if (error instanceof WasqError && error.code === "CONNECT_FAILED" && command.credentials === undefined) {
      stderr.write("If it checks keys, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n");
    }
    return FAILED;
  }
}

function textOf(error: unknown): string {
  if (error instanceof WasqError) return `${error.message} (${error.code})`;
  return error instanceof InputError || error instanceof OutputError ? error.message : String(error);
}
