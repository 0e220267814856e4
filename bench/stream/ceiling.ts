// What these sockets could do at best: the same frames and answers, group commits of the same bytes, and no broker behind
// them. What is published is handed to whoever subscribes, in frames of as many messages as he wants at most. One who
// subscribes begins anew: what was published before is nobody's.

import type { WebSocket } from "uWebSockets.js";
import { join } from "node:path";
import { loadUws } from "../../src/net/addon.ts";
import { GroupCommit } from "../group-commit.ts";
import { ROOT } from "../support.ts";

export interface CeilingJob {
  readonly filePath: string;
  readonly bodyBytes: number;
  readonly port?: number; // any, if it is absent
}

const GATHER_BYTES = 16 * 1024 * 1024;
const ROW_BYTES = 16; // what a receive and a delete add to a log

const uws = loadUws(join(ROOT, "node_modules"), undefined);
const job: CeilingJob = JSON.parse(process.argv[2] ?? "");

const disk = new GroupCommit(job.filePath, GATHER_BYTES);

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}
const field = (tag: number, body: Buffer) =>
  Buffer.concat([Buffer.from([...varint(tag), ...varint(body.byteLength)]), body]);
const envelopeOf = (body: Buffer) => Buffer.concat([Buffer.from(varint(body.byteLength)), body]);

const message = field(
  0x1a,
  Buffer.concat([field(0x0a, Buffer.alloc(16, 7)), field(0x12, Buffer.alloc(job.bodyBytes, "x"))]),
);
let perFrame = 1;
let messages: Buffer = message;
const deliverOf = (first: number) =>
  envelopeOf(field(0x12, Buffer.concat([Buffer.from([0x08, 1, 0x10, ...varint(first)]), messages])));

let consumer: WebSocket<unknown> | undefined;
let committed = 0; // messages on disk
let given = 0;
/** What the bodies begin with, where a frame has one message: its consumer reads from it when it was published. */
const stamps: Buffer[] = [];
const STAMP_BYTES = 16;

function give(): void {
  const socket = consumer;
  if (socket === undefined) return;
  socket.cork(() => {
    while (committed - given >= perFrame) {
      const frame = deliverOf(given + 1);
      if (perFrame === 1) frame.set(stamps.shift() as Buffer, frame.byteLength - job.bodyBytes);
      socket.send(frame, true);
      disk.addSize(perFrame * ROW_BYTES);
      given += perFrame;
    }
  });
}

let at = 0;
function readVarint(bytes: Uint8Array): number {
  let value = 0;
  let shift = 1;
  for (;;) {
    const byte = bytes[at++] as number;
    value += (byte & 127) * shift;
    if (byte < 128) return value;
    shift *= 128;
  }
}

/** Fields 1 and 2 say which and to what; field 5 is how many messages a frame may have. */
function subscribe(bytes: Uint8Array, end: number): void {
  perFrame = 1;
  while (at < end) {
    const tag = readVarint(bytes);
    const value = readVarint(bytes);
    if (tag === 0x28) perFrame = Math.max(1, value);
    else if ((tag & 7) === 2) at += value;
  }
  messages = Buffer.concat(Array.from({ length: perFrame }, () => message));
  committed = 0;
  given = 0;
  stamps.length = 0;
}

interface Client {
  confirmed: number;
  isOwing: boolean;
  isClosed: boolean;
}

uws
  .App()
  .ws<Client>("/stream", {
    maxPayloadLength: 16 * 1024 * 1024,
    maxBackpressure: 256 * 1024 * 1024,
    upgrade: (res, req, context) => {
      const key = req.getHeader("sec-websocket-key");
      res.upgrade(
        { confirmed: 0, isOwing: false, isClosed: false },
        key,
        req.getHeader("sec-websocket-protocol"),
        "",
        context,
      );
    },
    message: (ws, data) => {
      const bytes = new Uint8Array(data);
      at = 0;
      const size = readVarint(bytes);
      const end = at + size;
      let tag = readVarint(bytes);
      if (tag === 0x08) {
        readVarint(bytes);
        tag = readVarint(bytes);
      }
      readVarint(bytes);
      if (tag === 0x1a) {
        at += 3; // publisher, and the tag of the number
        const first = readVarint(bytes);
        let count = 0;
        while (at < end) {
          at++;
          const messageBytes = readVarint(bytes);
          const bodyAt = at + messageBytes - job.bodyBytes;
          if (consumer !== undefined && perFrame === 1)
            stamps.push(Buffer.from(bytes.subarray(bodyAt, bodyAt + STAMP_BYTES)));
          at += messageBytes;
          count++;
        }
        disk.addBytes(bytes);
        const client = ws.getUserData();
        const number = first + count - 1;
        disk.commit(() => {
          committed += count;
          client.confirmed = number;
          if (client.isOwing) return;
          client.isOwing = true;
          queueMicrotask(() => {
            client.isOwing = false;
            if (!client.isClosed)
              ws.send(envelopeOf(field(0x22, Buffer.from([0x08, 1, 0x10, ...varint(client.confirmed)]))), true);
            give();
          });
        });
      } else if (tag === 0x92) {
        subscribe(bytes, end);
        consumer = ws;
      } else if (tag === 0x2a) {
        disk.addSize(perFrame * ROW_BYTES);
        const client = ws.getUserData();
        disk.commit(() => {
          if (!client.isClosed) ws.send(envelopeOf(Buffer.from([0x08, 7, 0x4a, 2, 0x08, 1])), true);
        });
      } else if (tag === 0x32) give();
    },
    close: (ws) => {
      ws.getUserData().isClosed = true; // what is on its way to disk for it has nobody to be told
      if (consumer === ws) consumer = undefined;
    },
  })
  .post("/*", (res) => {
    res.end("{}"); // a queue is created
  })
  .listen("127.0.0.1", job.port ?? 0, (socket) => {
    process.stdout.write(`at http://127.0.0.1:${uws.us_socket_local_port(socket)}\n`);
  });
