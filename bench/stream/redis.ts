// Redis Streams doing the same work: XADD, XREADGROUP and XACK in pipelines, with appendfsync always. Skipped when there is
// no redis-server.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { type PacedResult, Pacer, STAMP_BYTES } from "../pacer.ts";
import { endTree } from "../peers/tree.ts";
import { temporaryDirectory } from "../support.ts";
import type { Shape } from "./index.ts";

export interface RedisResult {
  readonly perSecond: number;
  readonly paced: PacedResult | null;
}

const WARM_MS = 500;

/** Reads replies: lines and bulk strings as text, arrays as lists, one after the other. */
class Replies {
  #rest = "";
  readonly #waiting: ((reply: unknown) => void)[] = [];
  readonly socket: Socket;
  onReply: (reply: unknown) => void = () => {};
  #at = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (data) => this.#take(String(data)));
  }

  #take(data: string): void {
    this.#rest += data;
    for (;;) {
      const start = this.#at;
      const reply = this.#read();
      if (reply === undefined) {
        this.#rest = this.#rest.slice(start);
        this.#at = 0;
        return;
      }
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.onReply(reply);
      else waiting(reply);
    }
  }

  #line(): string | undefined {
    const end = this.#rest.indexOf("\r\n", this.#at);
    if (end === -1) return undefined;
    const line = this.#rest.slice(this.#at, end);
    this.#at = end + 2;
    return line;
  }

  /** undefined when it is not all there yet. */
  #read(): unknown {
    const line = this.#line();
    if (line === undefined) return undefined;
    const size = Number(line.slice(1));
    switch (line[0]) {
      case "-":
        throw new Error(line);
      case "$": {
        if (size === -1) return null;
        if (this.#rest.length < this.#at + size + 2) return undefined;
        const text = this.#rest.slice(this.#at, this.#at + size);
        this.#at += size + 2;
        return text;
      }
      case "*": {
        if (size === -1) return null;
        const list: unknown[] = [];
        for (let i = 0; i < size; i++) {
          const each = this.#read();
          if (each === undefined) return undefined;
          list.push(each);
        }
        return list;
      }
      default:
        return line.slice(1);
    }
  }

  ask(...words: readonly string[]): Promise<unknown> {
    this.socket.write(command(...words));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

async function open(port: number): Promise<Replies> {
  for (let i = 0; ; i++) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    if (isOpen) return new Replies(socket);
    if (i === 100) throw new Error("redis-server does not listen");
    await new Promise((later) => setTimeout(later, 50));
  }
}

export async function redis(
  shape: Shape & { readonly perSecond?: number },
  seconds: number,
  what: "publish" | "both",
): Promise<RedisResult | undefined> {
  if (spawnSync("redis-server", ["--version"]).error !== undefined) return undefined;
  const directory = temporaryDirectory();
  const port = 20_000 + (process.pid % 20_000);
  const options = ["--port", String(port), "--dir", directory.path, "--appendonly", "yes", "--appendfsync", "always"];
  const server: ChildProcess = spawn("redis-server", [...options, "--save", "", "--bind", "127.0.0.1"], {
    stdio: "ignore",
  });
  try {
    return await load(port, shape, seconds, what);
  } finally {
    const ended = new Promise((done) => server.once("exit", done));
    // A child of its own may be rewriting its log, in the directory that goes next.
    endTree(server.pid ?? 0);
    await ended;
    directory.remove();
  }
}

async function load(
  port: number,
  { bodyBytes, inFlight, perFrame, perSecond }: Shape & { readonly perSecond?: number },
  seconds: number,
  what: "publish" | "both",
): Promise<RedisResult> {
  const producer = await open(port);
  await producer.ask("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
  const body = "x".repeat(bodyBytes);
  const one = command("XADD", "s", "*", "b", body);
  let sent = 0;
  let confirmed = 0;
  let acknowledged = 0;
  const more = (): void => {
    const count = inFlight - (sent - confirmed);
    if (count < perFrame) return;
    sent += count;
    producer.socket.write(one.repeat(count), "latin1");
  };
  let isScheduled = false;
  producer.onReply = () => {
    confirmed++;
    if (isScheduled || perSecond !== undefined) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      more();
    });
  };
  let pacer: Pacer | undefined;
  if (what === "both") {
    const consumer = await open(port);
    const count = String(perSecond === undefined ? Math.max(perFrame, 100) : 100);
    const read = (): void => {
      consumer
        .ask("XREADGROUP", "GROUP", "g", "c", "COUNT", count, "BLOCK", "1000", "STREAMS", "s", ">")
        .then((reply) => {
          const entries = ((reply as [string, [string, string[]][]][] | null)?.[0]?.[1] ?? []) as [string, string[]][];
          if (perSecond !== undefined) {
            for (const [, fields] of entries) pacer?.delivered(fields[1]?.slice(0, STAMP_BYTES) ?? "");
          }
          if (entries.length > 0) {
            const { length } = entries;
            consumer.ask("XACK", "s", "g", ...entries.map(([id]) => id)).then(() => {
              acknowledged += length;
            });
          }
          read();
        });
    };
    read();
  }
  if (perSecond === undefined) more();
  else {
    const send = (stamp: string): void => {
      producer.socket.write(command("XADD", "s", "*", "b", stamp + body.slice(STAMP_BYTES)), "latin1");
      sent++;
    };
    pacer = await Pacer.start(perSecond, 1, send);
  }
  await new Promise((later) => setTimeout(later, WARM_MS));
  const start = { ms: performance.now(), confirmed, acknowledged };
  pacer?.measure();
  await new Promise((later) => setTimeout(later, seconds * 1000));
  const passed = (performance.now() - start.ms) / 1000;
  const done = what === "both" ? acknowledged - start.acknowledged : confirmed - start.confirmed;
  return { perSecond: done / passed, paced: (await pacer?.finish()) ?? null };
}
