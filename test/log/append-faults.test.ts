// Four appends under way beside one another, one or two of which fail, in every order in which their writes can end:
// nothing is confirmed that is not on disk, nothing behind a hole; a start reads at least what was confirmed, and no hole.
import { describe, expect, test } from "vitest";
import type { DiskFile } from "../../src/log/disk.ts";
import type { LogError } from "../../src/log/errors.ts";
import { segmentName } from "../../src/log/segment.ts";
import { FakeDisk, randomOf } from "../support/fake-disk.ts";
import { commit, type Opened, open, settle } from "../support/log-workload.ts";

const APPENDS = [0, 1, 2, 3];
const TURNS = 200; // in which whatever can go on has gone on
const HEADER_BYTES = 4096;

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((each) => each !== item)).map((rest) => [item, ...rest]));
}
const ORDERS = permutations(APPENDS);

/** How much of a write that fails there is: "half" in the system's cache only, "all" on disk, and nobody knows. */
type Ending = "nothing" | "half" | "all";
const TRIES_MAX = 8;
const NO_SPACE = { code: "ENOSPC", ending: "half" } as const;

/** A disk whose appends to the first segment end when they are told to. */
class GatedDisk {
  readonly disk = new FakeDisk();
  readonly #gates: {
    file: DiskFile;
    bytes: Uint8Array;
    offset: number;
    end: () => void;
    fail: (error: Error) => void;
  }[] = [];
  isArmed = false;

  constructor() {
    const { disk } = this;
    const openFile = disk.open.bind(disk);
    disk.open = async (name, mode) => {
      const file = await openFile(name, mode);
      const isGated = (bytes: Uint8Array, offset: number) =>
        this.isArmed && name === segmentName(1) && offset >= HEADER_BYTES && bytes.some((byte) => byte !== 0);
      const write = (bytes: Uint8Array, offset: number): Promise<void> => {
        if (!isGated(bytes, offset)) return file.write(bytes, offset);
        return new Promise((end, fail) => this.#gates.push({ file, bytes, offset, end, fail }));
      };
      return { ...file, write };
    };
  }

  /** Of the writes that wait, by how far into the segment they go. */
  get waiting(): number[] {
    return this.#gates.map(({ offset }) => offset);
  }

  async end(offset: number, failure?: { readonly code: "EIO" | "ENOSPC"; readonly ending: Ending }): Promise<void> {
    const place = this.#gates.findIndex((gate) => gate.offset === offset);
    const [gate] = this.#gates.splice(place, 1);
    if (gate === undefined) throw new Error(`no write waits at ${offset}`);
    if (failure === undefined) {
      await gate.file.write(gate.bytes, offset);
      gate.end();
    } else {
      const { code, ending } = failure;
      if (ending === "half") this.disk.fault = { call: this.disk.calls.length, code };
      if (ending !== "nothing") await gate.file.write(gate.bytes, offset).catch(() => {});
      this.disk.fault = undefined;
      gate.fail(Object.assign(new Error(`${code}: i/o error, write`), { code }));
    }
    await turns();
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
}

interface UnderWay {
  readonly gated: GatedDisk;
  readonly opened: Opened;
  readonly offsets: readonly number[]; // of the four writes
  readonly outcomes: ("confirmed" | LogError | undefined)[];
}

/** One record that is on disk, and four appends behind it. */
async function fourUnderWay(): Promise<UnderWay> {
  const gated = new GatedDisk();
  const opened = await open(gated.disk);
  const { log, writer } = opened;
  writer.add("on disk before");
  await commit(opened);
  await settle(log);
  writer.durablePosition = writer.position;
  gated.isArmed = true;
  const outcomes: UnderWay["outcomes"] = APPENDS.map(() => undefined);
  for (const i of APPENDS) {
    writer.add(`${i}`.repeat(100 + 150 * i));
    log.append(writer.take()).then(
      () => {
        outcomes[i] = "confirmed";
      },
      (error: LogError) => {
        outcomes[i] = error;
      },
    );
  }
  await turns();
  const offsets = gated.waiting;
  expect(offsets).toHaveLength(4);
  return { gated, opened, offsets, outcomes };
}

const confirmedOf = ({ outcomes }: UnderWay) => outcomes.flatMap((each, i) => (each === "confirmed" ? [i] : []));

/** What a start finds, of whatever may have been left: all that was confirmed, and nothing behind a hole. It goes on from there. */
async function expectPrefix({ gated, opened, outcomes }: UnderWay, seed: number): Promise<void> {
  const { disk } = gated;
  const { written } = opened.writer;
  const confirmedCount = 1 + outcomes.filter((each) => each === "confirmed").length;
  const random = randomOf(seed);
  const killed = FakeDisk.of(disk.files());
  for (const left of [killed, disk.cutPower(() => 0), disk.cutPower(random), disk.cutPower(random)]) {
    const again = await open(left);
    const seen = [...again.codec.seen];
    expect(seen.length).toBeGreaterThanOrEqual(confirmedCount);
    expect(seen).toEqual(written.slice(0, seen.length));
    again.writer.add("afterwards");
    await commit(again);
    await again.log.close();
    expect((await open(left)).codec.seen).toEqual([...seen, ...again.writer.written]);
  }
}

describe.each([[[0]], [[1]], [[3]], [[1, 3]]])("of four appends, %j", (failing) => {
  test.each<[Ending]>([["nothing"], ["half"], ["all"]])("fail, with %s of the write done", async (ending) => {
    const firstFailed = Math.min(...failing);
    for (const [seed, order] of ORDERS.entries()) {
      const under = await fourUnderWay();
      const { gated, opened, offsets, outcomes } = under;
      const ended = new Set<number>();
      for (const i of order) {
        await gated.end(offsets[i] as number, failing.includes(i) ? { code: "EIO", ending } : undefined);
        ended.add(i);
        const before = APPENDS.filter((each) => each < firstFailed);
        const durable = before.slice(0, before.findIndex((each) => !ended.has(each)) >>> 0);
        expect(confirmedOf(under), `${order}, after ${i}`).toEqual(durable);
      }
      for (const i of APPENDS.slice(firstFailed)) {
        expect(outcomes[i]).toMatchObject({ code: "io", file: segmentName(1) });
        expect(String(outcomes[i])).toMatch(
          /Cannot append to the log: .* at offset \d+: EIO.*; nothing more is written/,
        );
      }
      await expect(opened.log.append([])).rejects.toThrow("Cannot append to the log");
      await opened.log.close();
      await expectPrefix(under, seed);
    }
  });

  test("find no space: those before are confirmed, they wait, and so does what is behind", async () => {
    const firstFailed = Math.min(...failing);
    for (const [seed, order] of ORDERS.entries()) {
      for (const end of ["there is some", "the log is closed"]) {
        const under = await fourUnderWay();
        const { gated, opened, offsets, outcomes } = under;
        gated.disk.capacityBytes = 0; // whatever is given up, others have it
        for (const i of order) {
          const hasNone = failing.includes(i);
          await gated.end(offsets[i] as number, hasNone ? NO_SPACE : undefined);
        }
        // Whatever was given up for one of them, all of those try once more.
        for (let tries = 0; tries < TRIES_MAX && gated.waiting.length > 0; tries++)
          await gated.end(gated.waiting[0] as number, NO_SPACE);
        expect(gated.waiting, "they do not wake one another for ever").toEqual([]);
        expect(confirmedOf(under), `${order}`).toEqual(APPENDS.slice(0, firstFailed));
        expect(outcomes.slice(firstFailed).every((each) => each === undefined)).toBe(true);
        await expectPrefix(under, seed);
        gated.isArmed = false;
        if (end === "there is some") {
          gated.disk.capacityBytes = Number.POSITIVE_INFINITY;
          opened.log.maintain();
          await turns();
          expect(confirmedOf(under)).toEqual(APPENDS);
        } else {
          await opened.log.close();
          for (const i of APPENDS.slice(firstFailed)) expect(outcomes[i]).toMatchObject({ code: "noSpace" });
        }
        await expectPrefix(under, seed);
      }
    }
  });
});

test("writes that the system cuts short are gone on with, each by itself", async () => {
  for (const [seed, order] of ORDERS.entries()) {
    const under = await fourUnderWay();
    under.gated.disk.writeBytesMax = 7;
    for (const i of order) await under.gated.end(under.offsets[i] as number);
    for (let rest = 0; rest < 20; rest++) await turns();
    expect(confirmedOf(under)).toEqual(APPENDS);
    await expectPrefix(under, seed);
  }
});
