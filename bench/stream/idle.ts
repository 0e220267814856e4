// What idle subscriptions cost: a session and a connection each, with credit, at an empty queue.
import { readFileSync } from "node:fs";
import { call, startBroker, table, temporaryDirectory, whole } from "../support.ts";
import { field, frameOf, LoadSocket, number } from "./socket.ts";

const COUNT = 10_000;
const AT_ONCE = 100;
const HELLO = frameOf(field(0x82, number(0x20, 0)));

function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

export async function streamIdle(): Promise<void> {
  const directory = temporaryDirectory();
  const broker = await startBroker(directory.path);
  const sockets: LoadSocket[] = [];
  try {
    await call(broker.endpoint, "CreateQueue", { QueueName: "bench" });
    const port = Number(new URL(broker.endpoint).port);
    const before = rssBytes(broker.pid);
    const credit = Buffer.concat([number(0x10, 100), number(0x18, 1_000_000)]);
    const subscribe = Buffer.concat([number(0x08, 1), field(0x12, Buffer.from("bench")), field(0x4a, credit)]);
    const opening = Buffer.concat([HELLO, frameOf(field(0x92, subscribe))]);
    while (sockets.length < COUNT) {
      const open = () => LoadSocket.open(port, {});
      const opened = await Promise.all(Array.from({ length: AT_ONCE }, open));
      for (const { socket } of opened) socket.write(opening);
      sockets.push(...opened);
    }
    await new Promise((later) => setTimeout(later, 2_000));
    const grown = rssBytes(broker.pid) - before;
    const row = [whole(COUNT), `${(grown / 1e6).toFixed(1)} MB`, whole(grown / COUNT)];
    table("Idle subscriptions, a connection each", ["subscriptions", "memory", "bytes each"], [row]);
  } finally {
    for (const { socket } of sockets) socket.destroy();
    await broker.stop("SIGKILL");
    directory.remove();
  }
}
