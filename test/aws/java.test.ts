// The AWS SDKs for Java, v2 and v1, against the running process. Needs a JDK from 17 on, Maven, and its packages the first
// time. v1 is of the days of AWS Query, and posts forms to the queue's own URL.
import { expect, test } from "vitest";
import { beside, execute, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { javaProgram } from "../support/java.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const broker = fileBroker({ keys: true });

test.for([
  ["v2", "java", "Walk"],
  ["v1", "java-v1", "OldWalk"],
] as const)("the SDK for Java %s walks over the API", { timeout: 300_000 }, async ([, name, main], context) => {
  const project = beside(import.meta.url, `${name}/pom.xml`);
  const source = beside(import.meta.url, `${name}/${main}.java`);
  const classPath = await orSkip(context, javaProgram(name, project, source, "the AWS SDK"));
  const output = await execute("java", ["-cp", classPath, main, broker.endpoint, name], { env: broker.keyVariables });
  expect(walkedLines(output)).toEqual(expectedWalk(broker.endpoint, name));
});
