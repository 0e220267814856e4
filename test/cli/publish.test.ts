// What becomes of lines when the input ends in another way than by its end.
import { expect, test } from "vitest";
import { InputError, metBy } from "../../src/cli/input.ts";
import { publishLines } from "../../src/cli/publish.ts";
import type { Client, OutgoingMessage } from "../../src/client/index.ts";

const COMMAND = {
  name: "publish",
  queue: "orders",
  endpoint: "http://127.0.0.1:1",
  region: undefined,
  credentials: undefined,
  groupId: undefined,
  unique: false,
  delayMs: undefined,
} as const;

/** A broker that confirms all of it when it is asked to flush. */
function recorder(): { readonly client: Client; readonly bodies: string[]; confirmed(): boolean } {
  const bodies: string[] = [];
  let isConfirmed = false;
  const publisher = {
    ready: async () => {},
    publishBatch: async (messages: readonly OutgoingMessage[]) => {
      bodies.push(...messages.map(({ body }) => Buffer.from(body as Uint8Array).toString()));
    },
    flush: async () => {
      isConfirmed = true;
    },
    close: async () => {},
  };
  const client = { publisher: async () => publisher } as unknown as Client;
  return { client, bodies, confirmed: () => isConfirmed };
}

function failing(code: string): Error {
  return Object.assign(new Error(`${code}: of the system`), { code });
}

test("what was read before the input failed is published, and the failure is told with its place", async () => {
  const { client, bodies, confirmed } = recorder();
  const errors: string[] = [];
  async function* input(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("one\ntwo\nhalf of thr");
    throw failing("EIO");
  }
  const streams = {
    input: input(),
    errors: { isTTY: false, columns: 80, write: (text: string) => errors.push(text) > 0 },
  };
  const publishing = publishLines(client, COMMAND, streams, new AbortController().signal);
  const error = await publishing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).toBe("Cannot read standard input beyond line 2: EIO: of the system");
  expect(bodies).toEqual(["one", "two"]); // half a line is none
  expect(confirmed()).toBe(true);
  expect(errors.join("")).toContain("2 published");
});

test.each([
  ["EISDIR", "it is a directory"],
  ["EBADF", "it is not open for reading"],
  ["EIO", "EIO: of the system"],
])("%s in words", (code, text) => expect(metBy(failing(code))).toBe(text));
