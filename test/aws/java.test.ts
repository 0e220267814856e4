// The AWS SDK for Java v2 against the running process. Needs a JDK from 17 on, Maven, and its packages the first time.
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { besides, execute, made, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { expectedWalk, walkedLines } from "./walk.ts";

const broker = fileBroker();
const project = besides(import.meta.url, "java/pom.xml");
const source = besides(import.meta.url, "java/Walk.java");

function program(): Promise<string> {
  return made({
    name: "java",
    inputs: [project.text, source.text],
    needs: "a JDK from 17 on, mvn, and a Maven repository with the AWS SDK",
    async fetch(place) {
      await execute("javac", ["--release", "17", "-version"]);
      const copy = ["-B", "-q", "dependency:copy-dependencies", `-DoutputDirectory=${join(place, "lib")}`];
      await execute("mvn", copy, { cwd: dirname(project.path), timeoutMs: 240_000 });
    },
    build: (place) => {
      const flags = ["--release", "17", "-encoding", "UTF-8", "-Xlint:all", "-Werror"];
      return execute("javac", [...flags, "-cp", join(place, "lib", "*"), "-d", place, source.path]);
    },
  });
}

test("the SDK for Java v2 walks over the API", { timeout: 300_000 }, async (context) => {
  const place = await orSkip(context, program());
  const classPath = [place, join(place, "lib", "*")].join(process.platform === "win32" ? ";" : ":");
  const output = await execute("java", ["-cp", classPath, "Walk", broker.endpoint, "java"]);
  expect(walkedLines(output)).toEqual(expectedWalk(broker.endpoint, "java"));
});
