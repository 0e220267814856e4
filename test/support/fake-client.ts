// A client against a server that the test plays.
import { afterEach } from "vitest";
import { type Client, type ConnectionChange, type ConnectOptions, connect, WasqError } from "../../src/client/index.ts";
import { type FakeConnection, FakeStream } from "./fake-stream.ts";

const ends: (() => unknown)[] = [];

/** What the test has started ends with it, in the order in which it was started. */
export function atEnd(end: () => unknown): void {
  ends.push(end);
}

export function endAfterEach(): void {
  afterEach(async () => {
    for (const end of ends.splice(0)) await end(); // servers first: no client waits for their answers
  });
}

export async function startFake(): Promise<FakeStream> {
  const server = await FakeStream.start();
  atEnd(() => server.stop());
  return server;
}

export interface Connected {
  readonly server: FakeStream;
  readonly client: Client;
  readonly connection: FakeConnection;
  readonly changes: readonly ConnectionChange[];
}

/** A client that has been welcomed to a new session. */
export async function connected(options: ConnectOptions = {}): Promise<Connected> {
  const server = await startFake();
  const changes: ConnectionChange[] = [];
  const connecting = connect(server.url, { ...options, onChange: (change) => changes.push(change) });
  const connection = await server.welcomed();
  const client = await connecting;
  atEnd(() => client.close({ timeoutMs: 0 }));
  return { server, client, connection, changes };
}

/** The code a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return error instanceof WasqError ? error.code : String(error);
  }
}
