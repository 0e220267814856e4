// Files that may change while the broker runs. They are looked at, twice a second: that works on every file system, and with
// files that are replaced.
import { unwatchFile, watchFile } from "node:fs";

const WATCH_MS = 500;

/** Calls `onChange` when one of the files has been changed, made or removed. @returns a function that stops watching */
export function watchFiles(paths: readonly string[], onChange: () => void): () => void {
  for (const path of paths) watchFile(path, { interval: WATCH_MS, persistent: false }, onChange);
  return () => {
    for (const path of paths) unwatchFile(path, onChange);
  };
}
