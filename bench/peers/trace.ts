// What strace wrote down of a server: bytes that came and went over its sockets, writes to files, and syncs.
import { basename } from "node:path";

const NO_BYTES = Buffer.alloc(0);
export interface Call {
  readonly kind: "came" | "answered" | "wrote" | "synced";
  /** Lines of the trace: of threads that run at once it tells what was before what. */
  readonly began: number;
  readonly ended: number;
  /** Of sockets: the other end, and what went over. */
  readonly connection: string;
  readonly bytes: Buffer;
  /** Of files: which, and which of its kind (its name with numbers as #); how many bytes. */
  readonly file: string;
  readonly fileKind: string;
  readonly byteCount: number;
  /** A write to a file that was opened so that each is synced: it is there twice, as what was written and as a sync. */
  readonly isSynchronous: boolean;
  /** Of a sync: by what. */
  readonly how: string;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", v: "\v", f: "\f" };

/** The text between quotes as strace writes it, or those of a vector one after the other. */
function bytesOf(call: string, count: number): Buffer {
  const isVector = call.includes("iov_base=");
  const texts = [...call.matchAll(isVector ? /iov_base="((?:[^"\\]|\\.)*)"/g : /"((?:[^"\\]|\\.)*)"/g)];
  const written = (isVector ? texts : texts.slice(0, 1)).map(([, text]) => text ?? "").join("");
  const plain = written.replaceAll(/\\([0-7]{1,3}|.)/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );
  return Buffer.from(plain, "latin1").subarray(0, Math.max(0, count));
}

/** Whether all that is written are zeros: a file is filled ahead, and no message can be in that. */
function isZeros(call: string): boolean {
  const from = call.indexOf('"');
  if (!call.startsWith('"\\0', from)) return false; // a record may end with a quote, and zeros behind it fill its block
  const written = call.slice(from + 1, call.indexOf('"', from + 1));
  return !/[^\\0]/.test(written) && !written.includes("00") && !written.includes("\\\\");
}

/** Calls in the order in which they ended; what is sent in that in which it began. */
export function callsIn(text: string, port: number): Call[] {
  const found: Call[] = [];
  const begun = new Map<string, { readonly text: string; readonly line: number }>(); // by thread: interrupted by others
  const synchronous = new Set<string>(); // descriptors whose writes are syncs
  const place = `127.0.0.1:${port}->`;
  for (const [number, line] of text.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(thread, { text: rest.slice(0, -"<unfinished ...>".length), line: number });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const start = resumed === undefined ? undefined : begun.get(thread);
    const call = resumed === undefined ? rest : `${start?.text ?? ""}${resumed}`;
    const [, name = "", descriptor = ""] = /^(\w+)\((\d+)?/.exec(call) ?? [];
    const result = Number(/\) += (-?\d+)[^)]*$/.exec(call)?.[1] ?? -1);
    if (result < 0) continue;
    if (name.startsWith("open")) {
      if (/O_D?SYNC/.test(call)) synchronous.add(String(result));
      else synchronous.delete(String(result));
      continue;
    }
    const isWrite = /^(p?write|send)/.test(name);
    const times = { began: start?.line ?? number, ended: number };
    const none = {
      bytes: NO_BYTES,
      connection: "",
      file: "",
      fileKind: "",
      byteCount: result,
      isSynchronous: false,
      how: "",
    };
    if (call.includes(place)) {
      const connection = /->([\d.:]+)\]/.exec(call)?.[1] ?? "";
      const kind = isWrite ? "answered" : "came";
      if (result > 0 && /^(read|recv|p?write|send)/.test(name)) {
        found.push({ ...none, ...times, kind, connection, bytes: bytesOf(call, result) });
      }
      continue;
    }
    const isSync = /sync$/.test(name);
    if (!isSync && (!isWrite || isZeros(call))) continue;
    const file = /^\w+\(\d+<([^>]*)>/.exec(call)?.[1] ?? "?";
    const fileKind = basename(file).replaceAll(/[0-9a-f]{6,}|\d+/g, "#");
    const isSynchronous = isWrite && synchronous.has(descriptor);
    const of = { ...none, ...times, file, fileKind, isSynchronous };
    if (isWrite) found.push({ ...of, kind: "wrote" });
    if (isSync || isSynchronous) {
      found.push({ ...of, kind: "synced", how: isWrite ? `O_DSYNC ${name}` : name });
    }
  }
  const moment = ({ kind, began, ended }: Call): number => (kind === "answered" ? began : ended);
  return found.sort((a, b) => moment(a) - moment(b));
}
