// One process owns a data directory. The lock is a listening socket, because the operating system closes it with the
// process however that ends: kill -9 leaves no owner behind, as a pid file would (pids are given out again, and
// another container's pid says nothing here), and Node has no flock.
//
// A starter first listens on a socket file of its own, lock-<pid>-<random>, and only then asks every other such socket
// whether it answers. Of two that start at once at least one sees the other and steps back; perhaps both do, never
// none. Files of the dead are deleted by whoever has the lock, no earlier. Windows has no socket files, but a pipe's
// name, which is exclusive by itself.
import { createConnection, createServer, type Server } from "node:net";
import type { DiskLock } from "./disk.ts";
import { LogError, systemCode } from "./errors.ts";

export interface LockPlace {
  readonly directory: string;
  /** How a socket file of the directory is addressed; system limits are near 100 bytes. */
  socketPath(name: string): string;
  list(): Promise<readonly string[]>;
  unlink(name: string): Promise<void>;
  /** Names the directory the same way whatever path led to it. */
  identity(): Promise<string>;
}

const PREFIX = "lock-";
const UNSUPPORTED = ["ENOTSUP", "EOPNOTSUPP", "EINVAL", "ENOSYS"]; // file systems that cannot hold a socket
const ATTEMPT_COUNT_MAX = 3;

export async function takeLock(place: LockPlace): Promise<DiskLock> {
  if (process.platform === "win32") return takeNamed(place, `\\\\.\\pipe\\wasq-${await place.identity()}`);
  for (let attempt = 0; attempt < ATTEMPT_COUNT_MAX; attempt++) {
    const own = `${PREFIX}${process.pid}-${Math.floor(Math.random() * 2 ** 32).toString(16)}`;
    let server: Server;
    try {
      server = await listen(place.socketPath(own));
    } catch (error) {
      if (!UNSUPPORTED.includes(systemCode(error)) || process.platform !== "linux") throw error;
      return takeNamed(place, `\0wasq-${await place.identity()}`); // seen within one network namespace only
    }
    try {
      const others = (await place.list()).filter((name) => name.startsWith(PREFIX));
      const dead: string[] = [];
      for (const other of others) {
        if (other === own) continue;
        if (await answers(place.socketPath(other))) throw locked(place, other.split("-")[1] ?? "unknown");
        dead.push(other);
      }
      // Taken for dead between its bind and its listen, by an owner that has come and gone since: begin again.
      if (!others.includes(own)) {
        await close(server);
        continue;
      }
      for (const name of dead) await place.unlink(name).catch(() => {});
      return { release: () => close(server) };
    } catch (error) {
      await close(server);
      throw error;
    }
  }
  throw locked(place, "unknown");
}

async function takeNamed(place: LockPlace, path: string): Promise<DiskLock> {
  try {
    const server = await listen(path);
    return { release: () => close(server) };
  } catch (error) {
    const held = systemCode(error) === "EADDRINUSE";
    throw held ? locked(place, await ownerOf(path)) : error;
  }
}

function locked(place: LockPlace, pid: string): LogError {
  const text = `Cannot open the log: ${place.directory} is in use by process ${pid}; stop it, or choose another directory`;
  return new LogError("locked", text, { file: place.directory });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => {}); // whoever asked has gone
      socket.end(String(process.pid));
    });
    server.once("error", reject);
    server.listen(path, () => {
      server.unref(); // the lock alone keeps no process alive
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve())); // deletes the socket file, too
}

/** Only a refusal proves an owner dead; a full backlog, or no permission, does not. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(systemCode(error))));
  });
}

function ownerOf(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    let text = "";
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text === "" ? "unknown" : text));
  });
}
