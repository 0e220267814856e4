// A broker that is started again and again: what a start adds to the manifest does not add up.
import { expect, test } from "vitest";
import { openLog } from "../../src/log/local-log.ts";
import { decodeManifest, MANIFEST } from "../../src/log/manifest.ts";
import { FakeDisk } from "../support/fake-disk.ts";
import { testCipher } from "../support/log-key.ts";
import { create, find, openOn, outgoing, receive, send } from "../support/open-broker.ts";

const LIFE_COUNT = 400;
const LIVES_PER_SEGMENT_MAX = 128;

test("four hundred lives, each of which writes a little: the salts of a third are kept, and every message", async () => {
  const disk = new FakeDisk();
  let salted = 0;
  let most = 0;
  for (let life = 0; life < LIFE_COUNT; life++) {
    const encryption = { cipher: testCipher(life), isOn: true };
    const opened = await openOn(disk, undefined, {
      openLog: (codec, segmentBytes) => openLog(disk, { codec, segmentBytes, onNote: () => {}, encryption }),
    });
    if (life === 0) await create(opened.broker, "q");
    await send(opened.broker, find(opened.broker, "q"), [outgoing(`${life}`)]);
    await opened.close();
    salted = decodeManifest(disk.bytesOf(MANIFEST)).encryption?.epochs.length ?? 0;
    most = Math.max(most, salted);
  }
  expect(most).toBeGreaterThan(100); // nearly every life has one of its own
  expect(most).toBeLessThanOrEqual(LIVES_PER_SEGMENT_MAX + 3);
  const opened = await openOn(disk, undefined, {
    openLog: (codec, segmentBytes) =>
      openLog(disk, {
        codec,
        segmentBytes,
        onNote: () => {},
        encryption: { cipher: testCipher(LIFE_COUNT), isOn: true },
      }),
  });
  const bodies: string[] = [];
  for (;;) {
    const received = await receive(opened.broker, find(opened.broker, "q"));
    if (received.status !== "ok" || received.messages.length === 0) break;
    bodies.push(...received.messages.map(({ body }) => body));
  }
  expect(bodies).toEqual(Array.from({ length: LIFE_COUNT }, (_, life) => `${life}`));
  await opened.close();
});
