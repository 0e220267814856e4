// The configuration file: found, bounded, and read in the format that its name tells.
import { basename, extname } from "node:path";
import { readElasticMq } from "./elasticmq.ts";
import { parseHocon } from "./hocon.ts";
import { readOwnFile } from "./own-file.ts";
import { isUnreadable, readBounded } from "./read-bounded.ts";
import { EMPTY_FILE, type FileSettings } from "./settings.ts";
import { Mistakes, type Tree } from "./tree.ts";
import { parseJson, parseYaml } from "./yaml.ts";

const FORMATS: {
  readonly [extension: string]: {
    readonly parse: (text: string, mistakes: Mistakes) => Tree | undefined;
    readonly read: (tree: Tree, mistakes: Mistakes, path: string) => FileSettings;
  };
} = {
  ".json": { parse: parseJson, read: readOwnFile },
  ".yaml": { parse: parseYaml, read: readOwnFile },
  ".yml": { parse: parseYaml, read: readOwnFile },
  ".conf": { parse: parseHocon, read: readElasticMq },
  ".hocon": { parse: parseHocon, read: readElasticMq },
};

/**
 * What the file says; what is wrong in it is added to `mistakes`, and the rest is read all the same.
 * @param place how the path was given: --config or WASQ_CONFIG
 */
export function readFile(path: string, place: string, mistakes: string[]): FileSettings {
  const format = FORMATS[extname(path).toLowerCase()];
  if (format === undefined) {
    mistakes.push(
      `${place} is "${path}": its name must end in .json, .yaml or .yml, or in .conf or .hocon for a file of ElasticMQ's`,
    );
    return EMPTY_FILE;
  }
  const ofFile = new Mistakes(basename(path));
  let settings = EMPTY_FILE;
  try {
    const tree = format.parse(readBounded(path), ofFile);
    if (tree !== undefined) settings = format.read(tree, ofFile, path);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    mistakes.push(`${place} is "${path}": ${error.message}`);
  }
  mistakes.push(...ofFile.lines);
  return settings;
}
