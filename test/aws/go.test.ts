// The AWS SDK for Go v2 against the running process. Needs go, and its modules the first time.
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { beside, execute, made, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const broker = fileBroker({ keys: true });
const module = beside(import.meta.url, "go/go.mod");
const sums = beside(import.meta.url, "go/go.sum");
const source = beside(import.meta.url, "go/main.go");
const cwd = dirname(source.path);

function program(): Promise<string> {
  return made({
    name: "go",
    inputs: [module.text, sums.text, source.text],
    needs: "go, and a module proxy for the AWS SDK",
    fetch: () => execute("go", ["mod", "download"], { cwd, timeoutMs: 240_000 }),
    build: (place) => execute("go", ["build", "-mod=readonly", "-o", place, "."], { cwd, timeoutMs: 240_000 }),
  });
}

test("the SDK for Go v2 walks over the API", { timeout: 300_000 }, async (context) => {
  const place = await orSkip(context, program());
  const output = await execute(join(place, "walk"), [broker.endpoint, "go"], { env: broker.keyVariables });
  expect(walkedLines(output)).toEqual(expectedWalk(broker.endpoint, "go"));

  const wrong = { ...broker.keyVariables, AWS_SECRET_ACCESS_KEY: "wrong" };
  await expect(execute(join(place, "walk"), [broker.endpoint, "wrong"], { env: wrong })).rejects.toThrow(
    "SignatureDoesNotMatch",
  );
});
