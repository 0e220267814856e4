// The schema in its forms, and the two pages about it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { schemaOf } from "../../build/schema.mjs";
import { CLOSE } from "../../src/stream/envelope.ts";
import { EnvelopeType } from "../../src/stream/schema.ts";
import { Rig } from "../support/stream-rig.ts";

const STREAM = join(import.meta.dirname, "..", "..", "src", "stream");
const text = (name: string) => readFileSync(join(STREAM, name), "utf8");

test("schema.json is what protobufjs reads of broker.proto", () => {
  expect(JSON.parse(text("schema.json"))).toEqual(JSON.parse(JSON.stringify(schemaOf(text("broker.proto")))));
});

test("the page tells every close code, and no other", () => {
  const told = [...text("README.md").matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
  expect(told).toEqual([...Object.values(CLOSE)].sort((a, b) => a - b));
});

test("the page's example in bytes is the Subscribe that it says", () => {
  const hex = /^ {4}((?:[0-9a-f]{2}\s+){20,}[0-9a-f]{2})$/m.exec(text("README.md"))?.[1] ?? "";
  const envelope = EnvelopeType.decodeDelimited(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
  expect(EnvelopeType.toObject(envelope, { longs: Number, enums: String })).toEqual({
    id: 2,
    subscribe: {
      subscription: 1,
      queue: "hello",
      fields: ["SENT_TIME"],
      credit: { messages: 2, bytes: 1_000_000 },
    },
  });
});

/** Without what is different every time: tokens, IDs and times. */
function steady(line: string): unknown {
  const uuid = /"messageId":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"/g;
  return JSON.parse(
    line
      .replaceAll(uuid, '"messageId":"an ID"')
      .replaceAll(/"(timeMs|sentMs)":\d{13}/g, '"$1":"a time"')
      .replace(/"ses_[\w-]{24}"/, '"a token"')
      .replace(/"serverVersion":"[\d.]+"/, '"serverVersion":"a version"'),
  );
}

test("the page's transcript is what the server says, word for word", async () => {
  const page = text("README.md");
  const lines = page.slice(page.indexOf("## A transcript")).match(/^ {4}[→← ] .*$/gm) ?? [];
  const envelopes: string[] = [];
  for (const line of lines) {
    if (line.startsWith("       ")) envelopes[envelopes.length - 1] += line.trim();
    else envelopes.push(line.trim());
  }
  const rig = await Rig.open();
  await rig.create("hello");
  const client = rig.client();
  let saidCount = 0;
  for (let at = 0; at < envelopes.length; ) {
    client.raw((envelopes[at++] as string).replace("→ ", ""));
    await rig.settle();
    const expected: unknown[] = [];
    for (; envelopes[at]?.startsWith("←"); at++) expected.push(steady((envelopes[at] as string).replace("← ", "")));
    const said = client.got().map((each) => steady(JSON.stringify(each)));
    expect(said).toHaveLength(expected.length);
    expect(said).toEqual(expect.arrayContaining(expected));
    saidCount += said.length;
  }
  expect(saidCount).toBe(11);
  expect(client.closed).toBe(1000);
  await rig.opened.close();
});
