import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linesOf } from "../../src/cli/lines.ts";
import { grouped, Progress } from "../../src/cli/progress.ts";

async function lines(chunks: readonly (string | Uint8Array)[], bytesMax = 1_000): Promise<(string | undefined)[]> {
  async function* input(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const found: (string | undefined)[] = [];
  for await (const some of linesOf(input(), bytesMax)) {
    for (const { number, bytes } of some) {
      expect(number).toBe(found.length + 1);
      found.push(bytes === undefined ? undefined : Buffer.from(bytes).toString());
    }
  }
  return found;
}

describe("lines", () => {
  test.each([
    [[], []],
    [["a\nb\n"], ["a", "b"]],
    [["a\nb"], ["a", "b"]],
    [
      ["a\r\n\nb\r", "\n"],
      ["a", "", "b"],
    ],
    [["a\rb\n"], ["a\rb"]],
    [["gr", "ü", "ße\n"], ["grüße"]],
  ])("of %o are %o", async (chunks, expected) => {
    expect(await lines(chunks)).toEqual(expected);
  });

  test("that are too long are told by their number, and not held", async () => {
    expect(await lines(["abc\nabcd\nabcde\nabcd\r\nabcde", "f\nx\n", "y".repeat(100)], 4)).toEqual([
      "abc",
      "abcd",
      undefined,
      "abcd",
      undefined,
      "x",
      undefined,
    ]);
  });

  test("are the same wherever the chunks are cut", () => {
    return fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("a", "\n", "\r"), maxLength: 30 }),
        fc.array(fc.nat(30), { maxLength: 5 }),
        async (text, cuts) => {
          const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
          const chunks = places.slice(1).map((end, index) => text.slice(places[index], end));
          expect(await lines(chunks, 5)).toEqual(await lines([text], 5));
        },
      ),
    );
  });
});

describe("progress", () => {
  function output(isTTY: boolean) {
    const written: string[] = [];
    return { written, isTTY, columns: 20, write: (text: string) => written.push(text) > 0 };
  }

  test("says the rate over all at the end, and nothing to redraw where there is no terminal", () => {
    const plain = output(false);
    const progress = new Progress(
      plain,
      () => 3,
      (rate) => `3 done at ${rate > 0}`,
    );
    progress.say("a note");
    progress.end();
    expect(plain.written[0]).toBe("a note\n");
    expect(plain.written[1]).toMatch(/^3 done at true, \d+\.\d s\n$/);
    expect(plain.written.join("")).not.toContain("\u001b");
  });

  test("is drawn again on a terminal, cut to its width, and makes room", async () => {
    const terminal = output(true);
    const progress = new Progress(
      terminal,
      () => 1,
      () => "0123456789012345678901234567890",
    );
    await expect.poll(() => terminal.written).toEqual(["\r\u001b[K0123456789012345678"]);
    progress.say("a note");
    expect(terminal.written.slice(1)).toEqual(["\r\u001b[K", "a note\n"]);
    progress.end();
  });

  test("numbers are grouped", () => {
    expect([0, 999, 1_000, 1_234_567.8].map(grouped)).toEqual(["0", "999", "1,000", "1,234,568"]);
  });
});
