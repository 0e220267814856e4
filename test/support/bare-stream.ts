// The JSON subprotocol with nothing but a WebSocket library.
import WebSocket from "ws";

// biome-ignore lint/suspicious/noExplicitAny: JSON of the wire
export type Json = any;

export interface BareStream {
  readonly socket: WebSocket;
  readonly welcome: Json;
  send(...envelopes: object[]): void;
  /** The answer's body, or the error's code. */
  ask(envelope: object): Promise<Json>;
  /** Told of everything that is pushed. */
  onPush: (envelope: Json) => void;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
}

export function streamUrl(endpoint: string): string {
  return `${endpoint.replace("http", "ws")}/stream`;
}

/** Connects and says Hello. Rejects when the connection ends before the Welcome. */
export async function connect(
  endpoint: string,
  hello: object = {},
  onPush: (envelope: Json) => void = () => {},
  headers: Record<string, string> = {},
): Promise<BareStream> {
  const socket = new WebSocket(streamUrl(endpoint), ["wasq.v1.json"], { headers });
  const answers = new Map<number, (envelope: Json) => void>();
  let nextId = 1;
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  const stream = {
    socket,
    welcome: undefined as Json,
    closed,
    onPush,
    send: (...envelopes: object[]) => socket.send(envelopes.map((each) => JSON.stringify(each)).join("\n")),
    ask: (envelope: object) =>
      new Promise<Json>((resolve, reject) => {
        const id = nextId++;
        answers.set(id, ({ id: _, ...answer }) => {
          resolve(answer.error === undefined ? Object.values(answer)[0] : answer.error.code);
        });
        closed.then((code) => reject(new Error(`closed with ${code}`)));
        stream.send({ id, ...envelope });
      }),
  };
  socket.on("message", (data) => {
    for (const line of String(data).split("\n")) {
      const envelope = JSON.parse(line);
      const answer = answers.get(envelope.id);
      answers.delete(envelope.id);
      if (answer === undefined) stream.onPush(envelope);
      else answer(envelope);
    }
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", () => resolve());
    socket.on("error", reject);
  });
  stream.welcome = await stream.ask({ hello });
  return stream;
}
