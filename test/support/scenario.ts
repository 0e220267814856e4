// Scenarios: a line is an instant, a command and what it answers. Durations: 30s, 29.9s, 5min, 12h, 4d.
//
//   queue main fifo delay=5s retention=60s visibility=30s inflight=2 scope=group max=1 dead=other
//   0s  send a b                 -> ok            g1/a is a in group g1 (else none; FIFO: g); id=x, content; delay=5s
//   0s  send A/a1..3             -> ok            A/a1 A/a2 A/a3; so it is with receipts: a1..3#1
//   0s  receive max=10           -> a#1 b#1       a#1: what the first receive of a handed out
//   0s  receive try=x            -> a#1           with the attempt ID x
//   0s  poll p wait=20s          -> waits         then: answer p -> b#2 at 5s; cancel p -> ok
//   1s  change a#1 visibility=0s -> ok
//   1s  delete a#1               -> ok
//   1s  back a#1 b#1 try=x       -> ok            one receive (with the attempt ID x) has come to nobody
//   2s  move from=dead to=main   -> 2             as tasks do, max=1; a moved message is written a'
//   2s  source from=dead         -> main          where the next one to move was redriven from
//   2s  start from=dead rate=1   -> started       a task; to=other: not each where it came from
//   2s  tasks from=dead          -> running 1/3   newest first: moved, of how many that were visible at the start
//   2s  stop from=dead           -> cancelled 1   the newest task
//   2s  drop queue=other         -> ok            the queue is deleted
//   2s  count                    -> 1 0 0         visible, in flight, delayed
//   2s  peek max=2               -> a#1 b#0 | c#0 pages of what can be received; peek held, peek delayed: of what cannot
//   2s  quiet                    -> 1 2 0 0 2s    noisy groups; without them: visible, in flight, delayed, age of the next
//   2s  set retention=60s        -> ok
//   2s  restart                  -> ok
//
// Another queue than the last one declared: queue=other. Each scenario is played twice: as it stands, and with a
// restart before each of its lines at which nobody waits, because every rule must survive one.
import { expect } from "vitest";
import { assert } from "../../src/base/assert.ts";
import { CoreDriver, type QueueSpec, STANDARD } from "./core-driver.ts";

const BATCH_COUNT_MAX = 10;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

function toMs(text: string): number {
  const [, value, unit] = /^([\d.]+)(ms|s|min|h|d)$/.exec(text) ?? [];
  assert(value !== undefined && unit !== undefined, `"${text}" is a duration`);
  return Math.round(Number(value) * (UNIT_MS[unit] as number));
}

/** a1..3#1 as a1#1 a2#1 a3#1. */
function expandRanges(text: string): string {
  return text.replace(/(\S*?)(\d+)\.\.(\d+)(\S*)/g, (_, before: string, first: string, last: string, after: string) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => `${before}${Number(first) + i}${after}`).join(
      " ",
    ),
  );
}

interface Words {
  readonly plain: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

function wordsOf(text: string): Words {
  const plain: string[] = [];
  const options = new Map<string, string>();
  for (const word of text.trim().split(/\s+/)) {
    const [, key, value] = /^(\w+)=(.*)$/.exec(word) ?? [];
    if (key !== undefined && value !== undefined) options.set(key, value);
    else plain.push(word);
  }
  return { plain, options };
}

function specOf({ plain, options }: Words, base: QueueSpec): QueueSpec {
  const ms = (key: string, otherwise: number) => (options.has(key) ? toMs(options.get(key) as string) : otherwise);
  const count = (key: string, otherwise: number) => Number(options.get(key) ?? otherwise);
  return {
    name: base.name,
    fifo: base.fifo || plain.includes("fifo"),
    scopeGroup: base.scopeGroup || options.get("scope") === "group",
    delayMs: ms("delay", base.delayMs),
    retentionMs: ms("retention", base.retentionMs),
    visibilityMs: ms("visibility", base.visibilityMs),
    receiveMax: count("max", base.receiveMax),
    deadLetters: options.get("dead") ?? base.deadLetters,
    inFlightMax: count("inflight", base.inFlightMax),
  };
}

class Player {
  readonly #driver: CoreDriver;
  readonly #queue: string;
  readonly #polls = new Map<string, number>();

  constructor(specs: readonly QueueSpec[]) {
    this.#driver = new CoreDriver(specs);
    this.#queue = (specs.at(-1) as QueueSpec).name;
  }

  get canRestart(): boolean {
    return !this.#driver.hasWaiters;
  }

  advanceTo(nowMs: number): void {
    this.#driver.advanceTo(nowMs);
  }

  restart(): string {
    this.#driver.restart();
    return "ok";
  }

  /** The switch over commands; the order is that of a message's life. */
  play(words: Words): string {
    const [command, first = ""] = words.plain;
    const queue = words.options.get("queue") ?? this.#queue;
    switch (command) {
      case "send":
        return this.#send(queue, words);
      case "receive":
        return this.#receive(queue, words);
      case "poll":
        return this.#poll(queue, first, words);
      case "answer":
        return this.#answer(first);
      case "cancel":
        this.#driver.cancel(this.#polls.get(first) as number);
        return "ok";
      case "change": {
        const visibility = words.options.get("visibility");
        assert(visibility !== undefined, "change has a visibility");
        return this.#driver.changeVisibility(queue, first, toMs(visibility));
      }
      case "delete":
        return this.#driver.delete(queue, first);
      case "back":
        this.#driver.giveBack(queue, words.plain.slice(1), words.options.get("try"));
        return "ok";
      case "move": {
        const { from = queue, to = queue, max = "1000" } = Object.fromEntries(words.options);
        return String(this.#driver.move(from, to, Number(max)));
      }
      case "start": {
        const { from = queue, to, rate } = Object.fromEntries(words.options);
        const messagesPerSecond = rate === undefined ? undefined : Number(rate);
        return this.#driver.startTask(from, { destinationArn: to, messagesPerSecond });
      }
      case "tasks": {
        const tasks = this.#driver.tasks(words.options.get("from") ?? queue).map((task) => {
          const reason = task.failure === undefined ? "" : ` ${task.failure}`;
          return `${task.status} ${task.movedCount}/${task.toMoveCount}${reason}`;
        });
        return tasks.join(", ") || "none";
      }
      case "stop":
        return this.#driver.cancelTask(words.options.get("from") ?? queue);
      case "drop":
        this.#driver.drop(queue);
        return "ok";
      case "source":
        return this.#driver.nextSource(words.options.get("from") ?? queue);
      case "count": {
        const { visible, inFlight, delayed } = this.#driver.counts(queue);
        return `${visible} ${inFlight} ${delayed}`;
      }
      case "quiet": {
        const { noisyGroupCount, visible, inFlight, delayed, ageMs } = this.#driver.quietGroups(queue);
        return `${noisyGroupCount} ${visible} ${inFlight} ${delayed} ${ageMs === undefined ? "-" : `${ageMs / 1000}s`}`;
      }
      case "peek":
        return this.#peek(queue, words);
      case "set":
        this.#driver.set(queue, specOf(words, this.#driver.spec(queue)));
        return "ok";
      case "restart":
        return this.restart();
      default:
        return `no command ${command}`;
    }
  }

  #send(queue: string, { plain, options }: Words): string {
    const { fifo } = this.#driver.spec(queue);
    const content = plain.includes("content");
    const delay = options.get("delay");
    const entries = plain.slice(1).flatMap((word) => {
      if (word === "content") return [];
      const [body = "", groupId = fifo ? "g" : undefined] = word.split("/").reverse();
      return {
        body,
        groupId,
        deduplicationId: fifo && !content ? (options.get("id") ?? body) : undefined,
        delayMs: delay === undefined ? undefined : toMs(delay),
      };
    });
    const sent: string[] = [];
    for (let i = 0; i < entries.length; i += BATCH_COUNT_MAX) {
      const results = this.#driver.send(queue, entries.slice(i, i + BATCH_COUNT_MAX));
      sent.push(...results.map(({ duplicate }) => (duplicate ? "duplicate" : "ok")));
    }
    return [...new Set(sent)].length === 1 ? (sent[0] as string) : sent.join(" ");
  }

  #options({ options }: Words): [number, number | undefined] {
    const visibility = options.get("visibility");
    return [Number(options.get("max") ?? 1), visibility === undefined ? undefined : toMs(visibility)];
  }

  #receive(queue: string, words: Words): string {
    const receipts = this.#driver.receive(queue, ...this.#options(words), words.options.get("try"));
    return typeof receipts === "string" ? receipts : receipts.join(" ") || "nothing";
  }

  /** Says where a message is only when that is not what was asked for. */
  #peek(queue: string, { plain, options }: Words): string {
    const what = plain[1] === "held" || plain[1] === "delayed" ? plain[1] : "visible";
    const usual = { visible: "@visible", held: "@inFlight", delayed: "@delayed" }[what];
    const pages = this.#driver.peek(queue, what, Number(options.get("max") ?? 1000));
    return pages.map((page) => page.map((row) => row.replace(usual, "")).join(" ")).join(" | ") || "nothing";
  }

  #poll(queue: string, name: string, words: Words): string {
    const waitMs = toMs(words.options.get("wait") ?? "20s");
    const token = this.#driver.poll(queue, ...this.#options(words), waitMs, words.options.get("try"));
    if (typeof token === "string") return token;
    this.#polls.set(name, token);
    return this.#driver.answer(token) === undefined ? "waits" : this.#answer(name);
  }

  #answer(name: string): string {
    const answer = this.#driver.answer(this.#polls.get(name) as number);
    if (answer === undefined) return "waits";
    const { receipts, atMs } = answer;
    return `${receipts === "gone" ? receipts : receipts.join(" ") || "nothing"} at ${atMs / 1000}s`;
  }
}

function playAll(text: string, restarts: boolean): void {
  const specs: QueueSpec[] = [];
  const given: string[] = [];
  const met: string[] = [];
  let player: Player | undefined;
  for (const line of text.split("\n")) {
    const [command = "", expected] = expandRanges(line.replace(/\/\/ .*/, "")).split("->");
    if (command.trim() === "") continue;
    const words = wordsOf(command);
    const [instant, ...plain] = words.plain;
    if (instant === "queue") {
      specs.push(specOf(words, { ...STANDARD, name: plain[0] as string }));
      continue;
    }
    player ??= new Player(specs.length > 0 ? specs : [STANDARD]);
    player.advanceTo(toMs(instant as string));
    if (restarts && player.canRestart) player.restart();
    given.push(`${command.trim()} -> ${(expected ?? "ok").trim()}`);
    met.push(`${command.trim()} -> ${player.play({ plain, options: words.options })}`);
  }
  assert(given.length > 0, "a scenario has lines");
  expect(met, restarts ? "with restarts" : "without restarts").toEqual(given);
}

/** Plays the lines, and plays them again with restarts in between. */
export function scenario(text: string): void {
  playAll(text, false);
  playAll(text, true);
}

/** For what a restart may change: the turn of message groups, the place of what is often received, who waits. */
export function scenarioWithoutRestarts(text: string): void {
  playAll(text, false);
}
