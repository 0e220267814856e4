// boto3 against the running process: a current one, which speaks AWS JSON, and the last one to speak AWS Query.
// Needs python3 with venv, and PyPI the first time.
import { expect, test } from "vitest";
import { beside, execute, orSkip, python } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const broker = fileBroker({ keys: true });
const source = beside(import.meta.url, "python/walk.py");

test.for(["json", "query"])("boto3 walks over the API in AWS %s", { timeout: 300_000 }, async (protocol, context) => {
  const requirements = beside(import.meta.url, `python/boto3-${protocol}.txt`);
  const interpreter = await orSkip(context, python(`boto3-${protocol}`, requirements));
  const output = await execute(interpreter, [source.path, broker.endpoint, protocol], { env: broker.keyVariables });
  const expected = [{ step: "protocol", protocol }, ...expectedWalk(broker.endpoint, protocol)];
  expect(walkedLines(output)).toEqual(expected);
});
