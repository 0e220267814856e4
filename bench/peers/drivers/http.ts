// SQS over HTTP: keep-alive connections with one request each. Up to 64 in flight are so many connections with single
// messages; beyond that each request has ten, and there are up to a thousand connections.
import type { Socket } from "node:net";
import { bodyText, type Driver, dial, gathered, STAMP_BYTES, type Target } from "../driver.ts";
import { type Dialect, type Grouping, JSON_DIALECT, QUERY_DIALECT } from "./dialect.ts";

const SINGLES_MAX = 64;
const CONNECTIONS_MAX = 1_000;
const BATCH_COUNT = 10;
const CONSUMERS_MAX = 64;
const PACED_CONNECTIONS = 64;
const PACED_CONSUMERS = 8;
const BODY_COUNT = 64;
const HEAD_END = Buffer.from("\r\n\r\n");
const HIDDEN_SECONDS = 600;

function perRequest({ inFlight, isPaced }: Target): number {
  return isPaced || inFlight <= SINGLES_MAX ? 1 : BATCH_COUNT;
}

function connectionCount(target: Target): number {
  if (target.isPaced) return PACED_CONNECTIONS;
  return Math.max(1, Math.min(CONNECTIONS_MAX, Math.floor(target.inFlight / perRequest(target))));
}

/** An end between two requests is the server's right; one within a request shows in the run, which then does less. */
function ignore(): void {}

interface Piece {
  readonly bytes: Buffer;
  readonly end: number;
}

/**
 * A connection that has one request at a time; answers have a length or come in chunks. One that its server ends after an
 * answer is opened again for the next request.
 */
export class Connection {
  readonly #port: number;
  socket: Socket;
  onAnswer: (body: Buffer) => void = () => {};
  onRefusal: (error: Error) => void = (error) => {
    throw error;
  };
  #ends = false;

  private constructor(port: number, socket: Socket) {
    this.#port = port;
    this.socket = socket;
    this.#listen();
  }

  static async open(port: number): Promise<Connection> {
    return new Connection(port, await dial(port, () => {}, ignore));
  }

  #listen(): void {
    const { socket } = this;
    socket.on(
      "data",
      gathered((bytes) => (socket === this.socket ? this.#answers(bytes) : bytes.byteLength)),
    );
    socket.once("close", () => {
      if (socket === this.socket) this.#ends = true;
    });
  }

  write(request: Buffer): void {
    if (this.#ends) this.#reopen().then(() => this.socket.write(request));
    else this.socket.write(request);
  }

  async #reopen(): Promise<void> {
    this.socket.destroy();
    this.socket = await dial(this.#port, () => {}, ignore);
    // Not before: the end of the old one, which comes meanwhile, is not one of the new.
    this.#ends = false;
    this.#listen();
  }

  async ask(request: Buffer): Promise<string> {
    if (this.#ends) await this.#reopen();
    return new Promise((resolve, reject) => {
      const { socket } = this;
      const onClose = () => reject(new Error(`The server ends the connection instead of an answer to ${request}`));
      socket.once("close", onClose);
      this.onRefusal = reject;
      this.onAnswer = (body) => {
        socket.off("close", onClose);
        resolve(body.toString());
      };
      this.write(request);
    });
  }

  #answers(bytes: Buffer): number {
    let at = 0;
    for (;;) {
      const headEnd = bytes.indexOf(HEAD_END, at);
      if (headEnd === -1) return at;
      const head = bytes.toString("latin1", at, headEnd);
      const start = headEnd + HEAD_END.byteLength;
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      const body = length === undefined ? this.#chunks(bytes, start) : this.#whole(bytes, start, Number(length));
      if (body === undefined) return at;
      at = body.end;
      if (!/^HTTP\/1\.[01] 200/.test(head)) {
        this.onRefusal(new Error(`${head}\n\n${body.bytes}`));
        continue;
      }
      if (head.startsWith("HTTP/1.0") || /\r\nconnection: *close/i.test(head)) this.#ends = true;
      this.onAnswer(body.bytes);
    }
  }

  #whole(bytes: Buffer, start: number, length: number): Piece | undefined {
    const end = start + length;
    return bytes.byteLength < end ? undefined : { bytes: bytes.subarray(start, end), end };
  }

  #chunks(bytes: Buffer, start: number): Piece | undefined {
    const parts: Buffer[] = [];
    for (let at = start; ; ) {
      const lineEnd = bytes.indexOf("\r\n", at);
      if (lineEnd === -1) return undefined;
      const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
      const from = lineEnd + 2;
      if (bytes.byteLength < from + size + 2) return undefined;
      if (size === 0) return { bytes: Buffer.concat(parts), end: from + 2 };
      parts.push(bytes.subarray(from, from + size));
      at = from + size + 2;
    }
  }
}

/** @param makerCount connections that make queues at once */
function httpDriver(dialect: Dialect, makerCount: number): Driver {
  const urlOf = async ({ port, queue }: Target): Promise<string> => {
    const connection = await Connection.open(port);
    const url = dialect.urlIn(await connection.ask(dialect.getUrl(queue)));
    connection.socket.destroy();
    return url;
  };

  return {
    unit: perRequest,

    async prepare({ port, queue, groupCount }) {
      const fifo = groupCount === undefined ? {} : { FifoQueue: "true" };
      const connection = await Connection.open(port);
      await connection.ask(dialect.createQueue(queue, { VisibilityTimeout: String(HIDDEN_SECONDS), ...fifo }));
      connection.socket.destroy();
    },

    async prepareMany(port, names) {
      let next = 0;
      const maker = async (): Promise<void> => {
        const connection = await Connection.open(port);
        for (let name = names[next++]; name !== undefined; name = names[next++]) {
          await connection.ask(dialect.createQueue(name, {}));
        }
        connection.socket.destroy();
      };
      await Promise.all(Array.from({ length: makerCount }, maker));
    },

    async producer(target, confirmed) {
      const { port, bodyBytes, groupCount } = target;
      const url = await urlOf(target);
      const body = bodyText(bodyBytes);
      const count = perRequest(target);
      let number = 0;
      const grouping = (): Grouping | undefined =>
        groupCount === undefined
          ? undefined
          : { groupId: `g${number % groupCount}`, deduplicationId: `${process.pid}-${number++}` };
      const compose = (text: string): Buffer =>
        dialect.send(
          url,
          text,
          Array.from({ length: count }, () => grouping()),
        );
      // As the others' bodies: sixty-four different ones, in turn.
      const plain = Array.from({ length: BODY_COUNT }, () => compose(bodyText(bodyBytes)));
      let turn = 0;
      const idle: Connection[] = [];
      const waiting: Buffer[] = []; // for a connection, when sends are paced
      for (let i = connectionCount(target); i > 0; i--) {
        const connection = await Connection.open(port);
        connection.onAnswer = (bytes) => {
          if (count > 1 && dialect.hasFailed(bytes.toString())) throw new Error(bytes.toString());
          const next = waiting.shift();
          if (next === undefined) idle.push(connection);
          else connection.write(next);
          confirmed(count);
        };
        idle.push(connection);
      }
      const send = (bytes: Buffer): void => {
        const connection = idle.pop();
        if (connection === undefined) waiting.push(bytes);
        else connection.write(bytes);
      };
      return {
        send(howMany, stamp) {
          if (stamp !== undefined) send(compose(stamp + body.slice(STAMP_BYTES)));
          else
            for (let i = 0; i < howMany; i += count) {
              send(groupCount === undefined ? (plain[turn++ % BODY_COUNT] as Buffer) : compose(body));
            }
        },
      };
    },

    async consumer(target, on) {
      const url = await urlOf(target);
      const many = Math.ceil(target.inFlight / BATCH_COUNT);
      const count = target.isPaced ? PACED_CONSUMERS : Math.max(1, Math.min(CONSUMERS_MAX, many));
      const receive = dialect.receive(url, Math.min(BATCH_COUNT, target.inFlight), 1);
      const sockets: Socket[] = [];
      for (let i = 0; i < count; i++) {
        const connection = await Connection.open(target.port);
        let settling = 0;
        connection.onAnswer = (bytes) => {
          if (settling > 0) {
            if (dialect.hasFailed(bytes.toString("latin1"))) throw new Error(bytes.toString());
            on.settled(settling);
            settling = 0;
            connection.write(receive);
            return;
          }
          const answer = bytes.toString("latin1");
          const handles = dialect.handlesIn(answer);
          if (handles.length === 0) {
            connection.write(receive);
            return;
          }
          settling = handles.length;
          if (target.isPaced) for (const { body } of dialect.messagesIn(answer)) on.stamp(body.slice(0, STAMP_BYTES));
          on.delivered(settling);
          connection.write(dialect.deleteBatch(url, handles));
        };
        connection.write(receive);
        sockets.push(connection.socket);
      }
      return sockets;
    },
  };
}

export const http = httpDriver(JSON_DIALECT, SINGLES_MAX);
// GoAWS ends when several queues are made at once.
export const httpQuery = httpDriver(QUERY_DIALECT, 1);
