// A stream server that a test plays itself, envelope by envelope: for what a real one cannot be asked for, such as answers that
// never come, half a frame, a cut between two envelopes. It reads and writes with protobufjs' reflection, not the client's codec.
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import protobuf from "protobufjs";
import { type WebSocket, WebSocketServer } from "ws";
import type { Parts } from "../../src/client/codec.ts";
import type { Envelope } from "../../src/client/schema.ts";

const PROTO = join(import.meta.dirname, "..", "..", "src", "stream", "broker.proto");
const EnvelopeType = protobuf.parse(readFileSync(PROTO, "utf8")).root.lookupType("wasq.v1.Envelope");

type Body = Exclude<keyof Envelope, "id">;
/** A request: its id, and the body with every field. */
export type Request<K extends Body> = NonNullable<Envelope[K]> & { readonly id: number };

export class FakeStream {
  readonly url: string;
  readonly #server: WebSocketServer;
  readonly #connections: FakeConnection[] = [];
  #onConnection: (() => void) | undefined;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
    server.on("connection", (socket, request) => {
      this.#connections.push(new FakeConnection(socket, request.headers, request.url ?? ""));
      this.#onConnection?.();
    });
  }

  static async start(port = 0): Promise<FakeStream> {
    const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });
    await new Promise((resolve) => server.once("listening", resolve));
    return new FakeStream(server);
  }

  /** The next connection, now or when it comes. */
  async connection(): Promise<FakeConnection> {
    while (this.#connections.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onConnection = resolve;
      });
    }
    return this.#connections.shift() as FakeConnection;
  }

  /** The next connection, greeted: the session is new unless `welcome` says otherwise. */
  async welcomed(welcome: Parts<NonNullable<Envelope["welcome"]>> = {}): Promise<FakeConnection> {
    const connection = await this.connection();
    const { id } = await connection.next("hello");
    const limits = { frameBytes: 16 << 20, messageBytes: 1 << 20 };
    connection.send({ id, welcome: { sessionToken: "ses_1", serverVersion: "0", limits, ...welcome } });
    return connection;
  }

  stop(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

export class FakeConnection {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly #socket: WebSocket;
  readonly #requests: Envelope[] = [];
  readonly #closed: Promise<number>;
  #onRequest: (() => void) | undefined;

  constructor(socket: WebSocket, headers: Readonly<Record<string, unknown>>, path: string) {
    this.#socket = socket;
    this.headers = headers;
    this.path = path;
    this.#closed = new Promise((resolve) => socket.on("close", (code) => resolve(code)));
    socket.on("message", (data: Buffer) => {
      const reader = protobuf.Reader.create(data);
      while (reader.pos < reader.len) {
        this.#requests.push(
          EnvelopeType.toObject(EnvelopeType.decodeDelimited(reader), {
            longs: Number,
            enums: String,
            defaults: true,
            arrays: true,
            oneofs: false,
          }) as Envelope,
        );
      }
      this.#onRequest?.();
    });
  }

  /** The next envelope, which has to be of this kind. */
  async next<K extends Body>(kind: K): Promise<Request<K>> {
    while (this.#requests.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onRequest = resolve;
      });
    }
    const envelope = this.#requests.shift() as Envelope;
    const body = envelope[kind];
    if (!body) throw new Error(`expected ${kind}, got ${JSON.stringify(envelope)}`);
    return { ...body, id: envelope.id } as Request<K>;
  }

  /** What has come and was not asked for with `next`. */
  get unread(): readonly Envelope[] {
    return this.#requests;
  }

  /** Sends all of them in one WebSocket message. */
  send(...envelopes: Parts<Envelope>[]): void {
    this.#socket.send(Buffer.concat(envelopes.map(encode)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  close(code: number, reason = ""): void {
    this.#socket.close(code, reason);
  }

  /** Ends the connection without a word, as a network does. */
  cut(): void {
    this.#socket.terminate();
  }

  /** The code with which the client's side closed it. */
  closed(): Promise<number> {
    return this.#closed;
  }
}

export function encode(envelope: Parts<Envelope>): Uint8Array {
  return EnvelopeType.encodeDelimited(EnvelopeType.fromObject(envelope)).finish();
}
