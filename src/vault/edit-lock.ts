// One writer of the identities file at a time: read, change and replace is three steps, and two that overlap lose one change.
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { IdentitiesError } from "../auth/identities.ts";
import { makeDirectory } from "./make-directory.ts";

const FILE = "identities.lock";
const WAIT_MS_MAX = 5_000;
const WAIT_STEP_MS = 20;

/** Runs `edit` while nobody else does; the lock of a process that is no more is taken over. */
export function withEditLock<Result>(dataDirectory: string, edit: () => Result): Result {
  makeDirectory(dataDirectory, (text) => new IdentitiesError(text));
  const path = join(dataDirectory, FILE);
  for (let waitedMs = 0; !take(path); waitedMs += WAIT_STEP_MS) {
    const holder = holderOf(path);
    if (holder === undefined || !isAlive(holder)) takeAway(path, holder);
    else if (waitedMs >= WAIT_MS_MAX) {
      throw new IdentitiesError(`Cannot change the keys: another process holds ${path}; if there is none, remove it`);
    } else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_STEP_MS);
  }
  try {
    return edit();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, String(process.pid));
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** @returns what stands in the lock: its process's number, or nothing yet; undefined when it is gone */
function holderOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether the process is still there; one that has not written its number yet is. */
function isAlive(holder: string): boolean {
  if (!/^\d+$/.test(holder)) return true;
  try {
    process.kill(Number(holder), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Removes a lock whose process is gone. Another may have done so, and have its own there by now: that one is put back. */
function takeAway(path: string, holder: string | undefined): void {
  if (holder === undefined) return;
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (holderOf(aside) !== holder) linkSync(aside, path);
  } catch (error) {
    if (!["ENOENT", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
