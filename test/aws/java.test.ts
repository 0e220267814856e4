// The AWS SDK for Java v2 against the running process. Needs a JDK from 17 on, Maven, and its packages the first time.
import { expect, test } from "vitest";
import { beside, execute, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { javaProgram } from "../support/java.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const broker = fileBroker();
const project = beside(import.meta.url, "java/pom.xml");
const source = beside(import.meta.url, "java/Walk.java");

test("the SDK for Java v2 walks over the API", { timeout: 300_000 }, async (context) => {
  const classPath = await orSkip(context, javaProgram("java", project, source, "the AWS SDK"));
  const output = await execute("java", ["-cp", classPath, "Walk", broker.endpoint, "java"]);
  expect(walkedLines(output)).toEqual(expectedWalk(broker.endpoint, "java"));
});
