// One benchmark at a time.
import { expect, test } from "vitest";
import { holdAlone } from "../../bench/peers/alone.ts";

test.runIf(process.platform === "linux")("whoever comes second is told who is first", async () => {
  const name = `\0wasq-alone-${process.pid}`;
  expect(await holdAlone("the first", name)).toBeUndefined();
  expect(await holdAlone("the second", name)).toBe("the first");
});
