// A fresh core with the broker's own sizes.
import { readFileSync } from "node:fs";
import { Core } from "../../src/core/core.ts";
import {
  MEMORY_BYTES_MAX,
  READ_CACHE_BYTES,
  SEGMENT_BYTES,
  SEGMENT_HEADER_BYTES,
  TAIL_BYTES,
} from "../../src/limits.ts";
import { CORE_WASM } from "../support.ts";

export function loadCore(): Core {
  return Core.load(new WebAssembly.Module(readFileSync(CORE_WASM)), {
    budgetBytes: MEMORY_BYTES_MAX,
    tailBytes: TAIL_BYTES,
    cacheBytes: READ_CACHE_BYTES,
    segmentBytes: SEGMENT_BYTES,
    segmentHeaderBytes: SEGMENT_HEADER_BYTES,
  });
}
