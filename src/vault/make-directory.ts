// A directory and those above it. Level by level: Node's recursive mkdir never ends where a directory is there and nothing
// can be made in it, as in /proc.
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** @throws what `failed` makes of the reason, which names the directory */
export function makeDirectory(path: string, failed: (text: string) => Error): void {
  const missing: string[] = [];
  for (let level = resolve(path); !isDirectory(level) && dirname(level) !== level; level = dirname(level)) {
    missing.push(level);
  }
  for (const level of missing.reverse()) {
    try {
      mkdirSync(level);
    } catch (error) {
      if (isDirectory(level)) continue; // somebody else made it meanwhile
      const { code } = error as NodeJS.ErrnoException;
      const reason = code === "ENOENT" ? `nothing can be made in ${dirname(level)}` : (error as Error).message;
      throw failed(`Cannot make the directory ${path}: ${reason}; choose another one`);
    }
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
