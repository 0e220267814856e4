// The session from the client's side: greeting, resuming, giving up, and what a server can do to it.
import { describe, expect, test } from "vitest";
import { WebSocket as WebSocketOfPackage } from "ws";
import { type ConnectOptions, connect } from "../../src/client/index.ts";
import { backoffMs } from "../../src/client/link.ts";
import { atEnd, codeOf, connected, endAfterEach, startFake } from "../support/fake-client.ts";
import { encode, FakeStream } from "../support/fake-stream.ts";

endAfterEach();

describe("connecting", () => {
  test("says who it is and how long it can wait", async () => {
    const server = await startFake();
    const connecting = connect(server.url, { clientName: "billing", graceMs: 7_000, heartbeatMs: 3_000 });
    const connection = await server.connection();
    const hello = await connection.next("hello");
    expect(hello).toMatchObject({
      clientName: "billing",
      graceMs: 7_000,
      heartbeatMs: 3_000,
      sessionToken: "",
      ticket: "",
    });
    connection.send({ id: hello.id, welcome: { sessionToken: "ses_1" } });
    const client = await connecting;
    expect(client.isConnected).toBe(true);
    const closing = client.close();
    const bye = await connection.next("bye");
    connection.send({ id: bye.id, done: {} });
    await closing;
    expect(client.isConnected).toBe(false);
    expect(await codeOf(client.publish("hello", "x"))).toBe("CLOSED");
  });

  test("takes a broker's HTTP address, and a region", async () => {
    const server = await startFake();
    const connecting = connect(server.url.replace("ws:", "http:").replace("/stream", ""), { region: "eu-west-3" });
    const connection = await server.welcomed();
    expect(decodeURIComponent(connection.path)).toMatch(
      /^\/stream\?X-Amz-Credential=wasq\/\d{8}\/eu-west-3\/sqs\/aws4_request$/,
    );
    await (await connecting).close({ timeoutMs: 0 });
  });

  test("asks for a ticket and a signature before every connection", async () => {
    const server = await startFake();
    let count = 0;
    const options: ConnectOptions = {
      ticket: async () => `tkt_${++count}`,
      authorize: ({ url }) => ({ url: `${url}?signed=${count}`, headers: { "x-signed": `yes ${count}` } }),
    };
    const connecting = connect(server.url, options);
    const first = await server.connection();
    expect(first.path).toBe("/stream?signed=1");
    expect(first.headers["x-signed"]).toBe("yes 1");
    const hello = await first.next("hello");
    expect(hello.ticket).toBe("tkt_1");
    first.send({ id: hello.id, welcome: { sessionToken: "ses_1" } });
    const client = await connecting;
    first.cut();
    const second = await server.connection();
    expect(second.headers["x-signed"]).toBe("yes 2");
    expect(await second.next("hello")).toMatchObject({ ticket: "tkt_2", sessionToken: "ses_1" });
    await client.close({ timeoutMs: 0 });
  });

  test("takes another WebSocket, such as that of the package ws", async () => {
    const server = await startFake();
    const connecting = connect(server.url, {
      authorize: () => ({ headers: { "x-signed": "yes" } }),
      webSocket: (url, protocols, headers) => new WebSocketOfPackage(url, protocols, { headers }),
    });
    const connection = await server.welcomed();
    const client = await connecting;
    atEnd(() => client.close({ timeoutMs: 0 }));
    expect(connection.headers["x-signed"]).toBe("yes");
    const publishing = client.publish("hello", "grüße");
    const { id } = await connection.next("openPublisher");
    connection.send({ id, publisherOpened: { publisher: 1, creditBytes: 1_000 } });
    expect((await connection.next("publish")).messages[0]?.text).toBe("grüße");
    connection.send({ confirm: { publisher: 1, number: 1 } });
    await publishing;
  });

  test("fails where nobody listens, or waits if it was told to", async () => {
    const server = await FakeStream.start();
    await server.stop();
    expect(await codeOf(connect(server.url))).toBe("CONNECT_FAILED");
    const connecting = connect(server.url, { waitForServer: true });
    const late = await FakeStream.start(Number(new URL(server.url).port));
    atEnd(() => late.stop());
    await late.welcomed();
    await (await connecting).close({ timeoutMs: 0 });
  });

  test("fails when nothing comes back in time", async () => {
    const server = await startFake();
    expect(await codeOf(connect(server.url, { connectTimeoutMs: 50 }))).toBe("TIMEOUT");
  });

  test("fails with what its ticket provider throws", async () => {
    const server = await startFake();
    const connecting = connect(server.url, { ticket: () => Promise.reject(new Error("logged out")) });
    await expect(connecting).rejects.toMatchObject({ code: "CONNECT_FAILED", cause: new Error("logged out") });
  });

  test("can be given up", async () => {
    const server = await startFake();
    const controller = new AbortController();
    const connecting = connect(server.url, { signal: controller.signal });
    await server.connection();
    controller.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
    await expect(connect(server.url, { signal: controller.signal })).rejects.toThrow("enough");
  });

  test.each([
    ["no url", { url: "nonsense" }],
    ["ftp://example.com", { url: "ftp://example.com" }],
    ["a grace of a minute and a bit", { graceMs: 60_001 }],
    ["a heartbeat of half a second", { heartbeatMs: 500 }],
  ])("refuses %s", async (_name, { url, ...options }: { url?: string; graceMs?: number; heartbeatMs?: number }) => {
    expect(await codeOf(connect(url ?? "ws://127.0.0.1:1", options))).toBe("INVALID_PARAMETER");
  });
});

describe("a broken connection", () => {
  test("is made again with the session's token", async () => {
    const { connection, server, changes } = await connected();
    connection.cut();
    const second = await server.connection();
    const hello = await second.next("hello");
    expect(hello.sessionToken).toBe("ses_1");
    second.send({ id: hello.id, welcome: { sessionToken: "ses_1", resumed: true, serverVersion: "9" } });
    await expect.poll(() => changes.map(({ kind }) => kind)).toEqual(["connected", "disconnected", "connected"]);
    expect(changes[1]).toMatchObject({ error: { code: "CONNECTION_LOST", closeCode: 1006 } });
    expect(changes[2]).toMatchObject({ resumed: true, serverVersion: "9" });
  });

  test("is noticed when the server falls silent", async () => {
    const { connection, server } = await connected({ heartbeatMs: 1_000 });
    connection.cut(); // this one had promised nothing
    const second = await server.welcomed({ heartbeatMs: 40 });
    const silentSinceMs = performance.now();
    await server.connection();
    expect(performance.now() - silentSinceMs).toBeGreaterThan(90);
    second.cut();
  });

  test("is the end where reconnecting is not wanted", async () => {
    const { client, connection } = await connected({ reconnect: false });
    const publishing = codeOf(client.publish("hello", "x"));
    await connection.next("openPublisher");
    connection.cut();
    expect(await publishing).toBe("CONNECTION_LOST");
    expect(await codeOf(client.subscribe("hello"))).toBe("CONNECTION_LOST");
  });

  test.each([
    [4400, "PROTOCOL_ERROR"],
    [4401, "PROTOCOL_ERROR"],
    [4403, "NOT_AUTHORIZED"],
    [4405, "PROTOCOL_ERROR"],
    [4409, "TAKEN_OVER"],
    [4413, "PROTOCOL_ERROR"],
    [4414, "PROTOCOL_ERROR"],
  ])("closed with %i is the end: %s", async (closeCode, code) => {
    const { client, connection, changes } = await connected();
    const subscribing = codeOf(client.subscribe("hello"));
    await connection.next("subscribe");
    connection.close(closeCode, "because");
    expect(await subscribing).toBe(code);
    await expect.poll(() => changes.at(-1)).toMatchObject({ kind: "closed", error: { code, closeCode } });
    expect(await codeOf(client.publish("hello", "x"))).toBe(code);
  });

  test.each([1001, 1011, 4408, 4410, 4420, 4421, 4450])("closed with %i is tried again", async (closeCode) => {
    const { connection, server } = await connected();
    connection.close(closeCode);
    await server.welcomed();
  });

  test("a ticket that is not taken is replaced by a new one", async () => {
    const { connection, server } = await connected({ ticket: () => "tkt" });
    connection.close(4403);
    await server.welcomed();
  });

  test.each([
    ["half an envelope", (envelope: Uint8Array) => envelope.slice(0, -1)],
    ["bytes that are none", () => Uint8Array.of(3, 0xff, 0xff, 0xff)],
  ])("%s ends the client", async (_name, broken) => {
    const { client, connection } = await connected();
    const subscribing = codeOf(client.subscribe("hello"));
    const { id } = await connection.next("subscribe");
    connection.sendBytes(broken(encode({ id, subscribed: { subscription: 1 } })));
    expect(await subscribing).toBe("PROTOCOL_ERROR");
  });

  test("waits grow, are half random, and are bounded", () => {
    expect([0, 1, 2, 3, 10, 5_000].map((attempts) => backoffMs(attempts, 10_000, () => 0))).toEqual([
      100, 200, 400, 800, 5_000, 5_000,
    ]);
    expect(backoffMs(0, 10_000, () => 1)).toBe(200);
    expect(backoffMs(9, 300, () => 1)).toBe(300);
    // Five attempts at their latest fall into the default grace period of a cut of two seconds.
    expect([0, 1, 2, 3].reduce((sum, attempts) => sum + backoffMs(attempts, 10_000, () => 1), 0)).toBeLessThan(5_000);
  });
});

describe("GoAway", () => {
  test("gives back what waits, lets the handler finish, says Bye and comes again", async () => {
    const { client, connection, server } = await connected();
    let finish = (): void => {};
    const started: string[] = [];
    const handler = (message: { body: string }) => {
      started.push(message.body);
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const subscribing = client.subscribe("hello", { handler });
    const { id } = await connection.next("subscribe");
    const messages = ["a", "b"].map((body) => ({ body: Buffer.from(body), id: Buffer.alloc(16) }));
    connection.send({ id, subscribed: { subscription: 1 } }, { deliver: { subscription: 1, first: 1, messages } });
    await subscribing;
    await expect.poll(() => started).toEqual(["a"]);
    connection.send({ goAway: { deadlineMs: 10_000, reason: "an update" } });
    const nack = await connection.next("nack");
    expect(nack.deliveries).toEqual([{ first: 2, last: 0 }]);
    connection.send({ id: nack.id, settled: { subscription: 1, count: 1 } });
    finish();
    const ack = await connection.next("ack");
    connection.send({ id: ack.id, settled: { subscription: 1, count: 1 } });
    const bye = await connection.next("bye");
    connection.send({ id: bye.id, done: {} });
    const second = await server.connection();
    const hello = await second.next("hello");
    expect(hello.sessionToken).toBe(""); // that session is over
    second.send({ id: hello.id, welcome: { sessionToken: "ses_2" } });
    expect((await second.next("subscribe")).queue).toBe("hello");
  });

  test("publishes nothing new, and goes on behind what was confirmed", async () => {
    const { client, connection, server, changes } = await connected();
    const first = client.publish("hello", "one");
    const { id } = await connection.next("openPublisher");
    connection.send({ id, publisherOpened: { publisher: 1, creditBytes: 1 << 20 } });
    expect((await connection.next("publish")).first).toBe(1);
    connection.send({ goAway: { deadlineMs: 10_000 } });
    await expect.poll(() => changes.at(-1)?.kind).toBe("going-away");
    const second = client.publish("hello", "two");
    connection.send({ confirm: { publisher: 1, number: 1 } });
    await first;
    const bye = await connection.next("bye");
    connection.send({ id: bye.id, done: {} });
    const next = await server.welcomed();
    const open = await next.next("openPublisher");
    next.send({ id: open.id, publisherOpened: { publisher: 1, creditBytes: 1 << 20, confirmed: 1 } });
    expect(await next.next("publish")).toMatchObject({ first: 2, messages: [{ text: "two" }] });
    next.send({ confirm: { publisher: 1, number: 2 } });
    await second;
  });
});
