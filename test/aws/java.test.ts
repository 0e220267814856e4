// The AWS SDK for Java v2 against the running process. Needs a JDK from 17 on, Maven, and its packages the first time.
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { besides, execute, made, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const broker = fileBroker();
const project = besides(import.meta.url, "java/pom.xml");
const source = besides(import.meta.url, "java/Walk.java");

const separator = process.platform === "win32" ? ";" : ":";

/** Resolves with the class path of the walk. */
async function program(): Promise<string> {
  const libraries = await made({
    name: "java-libraries",
    inputs: [project.text],
    needs: "a JDK from 17 on, mvn, and a Maven repository with the AWS SDK",
    async fetch(place) {
      await execute("javac", ["--release", "17", "-version"]);
      const copy = ["-B", "-q", "dependency:copy-dependencies", `-DoutputDirectory=${place}`];
      await execute("mvn", copy, { cwd: dirname(project.path), timeoutMs: 240_000 });
    },
  });
  const classPath = join(libraries, "*");
  const classes = await made({
    name: "java",
    inputs: [project.text, source.text],
    build: (place) => {
      const flags = ["--release", "17", "-encoding", "UTF-8", "-Xlint:all", "-Werror"];
      return execute("javac", [...flags, "-cp", classPath, "-d", place, source.path]);
    },
  });
  return [classes, classPath].join(separator);
}

test("the SDK for Java v2 walks over the API", { timeout: 300_000 }, async (context) => {
  const classPath = await orSkip(context, program());
  const output = await execute("java", ["-cp", classPath, "Walk", broker.endpoint, "java"]);
  expect(walkedLines(output)).toEqual(expectedWalk(broker.endpoint, "java"));
});
