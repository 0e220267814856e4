// Java programs of one file: the jars that a pom.xml names, and what javac makes of the source with them.
import { dirname, join } from "node:path";
import { type Beside, execute, made } from "./clients.ts";

const SEPARATOR = process.platform === "win32" ? ";" : ":";

/**
 * Resolves with the class path of the program. The jars are fetched again when the project changes, not the source.
 * @param needs what is said to be missing if they cannot be
 */
export async function javaProgram(name: string, project: Beside, source: Beside, needs: string): Promise<string> {
  const libraries = await made({
    name: `${name}-libraries`,
    inputs: [project.text],
    needs: `a JDK from 17 on, mvn, and a Maven repository with ${needs}`,
    async fetch(place) {
      await execute("javac", ["--release", "17", "-version"]);
      const scope = ["-DincludeScope=runtime", `-DoutputDirectory=${place}`];
      const copy = ["-B", "-q", "dependency:copy-dependencies", ...scope];
      await execute("mvn", copy, { cwd: dirname(project.path), timeoutMs: 240_000 });
    },
  });
  const classPath = join(libraries, "*");
  const classes = await made({
    name,
    inputs: [project.text, source.text],
    build: (place) => {
      // Not "classfile": some jars name annotations of jars that are not among them.
      const flags = ["--release", "17", "-encoding", "UTF-8", "-Xlint:all,-classfile", "-Werror"];
      return execute("javac", [...flags, "-cp", classPath, "-d", place, source.path]);
    },
  });
  return [classes, classPath].join(SEPARATOR);
}
