// The configuration file: found, bounded, and read in the format that its name tells.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, extname } from "node:path";
import { readElasticMq } from "./elasticmq.ts";
import { parseHocon } from "./hocon.ts";
import { readOwnFile } from "./own-file.ts";
import { EMPTY_FILE, type FileSettings } from "./settings.ts";
import { Mistakes, type Tree } from "./tree.ts";
import { parseJson, parseYaml } from "./yaml.ts";

export const FILE_BYTES_MAX = 1024 * 1024;

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
    if (!(error instanceof Error) || !("code" in error || error instanceof RangeError)) throw error;
    mistakes.push(`${place} is "${path}": ${error.message}`);
  }
  mistakes.push(...ofFile.lines);
  return settings;
}

function readBounded(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new RangeError("it is no file");
    if (stat.size > FILE_BYTES_MAX) throw tooLarge(stat.size);
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1); // it may grow while it is read
    let sizeBytes = 0;
    for (;;) {
      const readBytes = readSync(descriptor, bytes, sizeBytes, bytes.byteLength - sizeBytes, sizeBytes);
      sizeBytes += readBytes;
      if (sizeBytes > FILE_BYTES_MAX) throw tooLarge(sizeBytes);
      if (readBytes === 0) return bytes.toString("utf8", 0, sizeBytes).replace(/^\uFEFF/, "");
    }
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(sizeBytes: number): RangeError {
  return new RangeError(`it has ${sizeBytes} bytes or more, at most ${FILE_BYTES_MAX} are allowed`);
}
