// What a line of JSON may be like, seen before it is parsed: JSON.parse takes seconds for megabytes of brackets, or of names.
import { STREAM_JSON_NAMES_MAX, STREAM_JSON_PARTS_MAX } from "../limits.ts";

/** A client's JSON is of this schema, which is five levels deep. */
const DEPTH_MAX = 16;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

const commaCounts = new Uint32Array(DEPTH_MAX + 1); // of what is open, by its depth
const isObject = new Uint8Array(DEPTH_MAX + 1);

/**
 * @param line text in UTF-8, perhaps no JSON: that is for JSON.parse to say
 * @returns what there is too much of; undefined: of nothing
 */
export function shapeProblem(line: Uint8Array): "depth" | "parts" | "names" | undefined {
  let depth = 0;
  let partCount = 0;
  for (let i = 0; i < line.length; i++) {
    const byte = line[i] as number;
    if (byte === QUOTE) {
      for (i++; i < line.length && line[i] !== QUOTE; i++) if (line[i] === BACKSLASH) i++;
    } else if (byte === COMMA) {
      if (++partCount > STREAM_JSON_PARTS_MAX) return "parts";
      const commaCount = (commaCounts[depth] as number) + 1;
      commaCounts[depth] = commaCount;
      if (commaCount >= STREAM_JSON_NAMES_MAX && isObject[depth] === 1) return "names";
    } else if (byte === OBJECT || byte === LIST) {
      if (++partCount > STREAM_JSON_PARTS_MAX) return "parts";
      if (++depth > DEPTH_MAX) return "depth";
      commaCounts[depth] = 0;
      isObject[depth] = byte === OBJECT ? 1 : 0;
    } else if ((byte === OBJECT_END || byte === LIST_END) && depth > 0) depth--;
  }
  return undefined;
}
