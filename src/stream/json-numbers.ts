// Numbers of 32 bits in a client's JSON. protobufjs takes what it is given to 32 bits, so that 2^32 would be 0, and credit for
// ever so many messages none at all.
import type { Type } from "protobufjs/light.js";
import { EnvelopeType } from "./schema.ts";

export const UINT32_MAX = 0xffff_ffff;

type Plain = Readonly<Record<string, unknown>>;

/** What is wrong with the first number that its field cannot have; undefined: nothing. */
export function numberProblem(envelope: Plain): string | undefined {
  return problemIn(EnvelopeType, envelope);
}

function problemIn(type: Type, message: Plain): string | undefined {
  for (const name in message) {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
    const value = message[name];
    if (field === undefined || value === null) continue;
    const inner = field.resolve().resolvedType;
    if (inner === null ? field.type !== "uint32" : "values" in inner) continue;
    const values = field.repeated && Array.isArray(value) ? value : [value];
    for (const each of values) {
      const problem =
        inner === null ? problemWith(name, each) : isPlain(each) ? problemIn(inner as Type, each) : undefined;
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null;
}

/** As protobuf's JSON has them: numbers, or the same as text. */
function problemWith(name: string, value: unknown): string | undefined {
  const number = typeof value === "string" && /^\d{1,20}$/.test(value) ? Number(value) : value;
  if (Number.isInteger(number) && (number as number) >= 0 && (number as number) <= UINT32_MAX) return undefined;
  return `${name} is ${String(JSON.stringify(value)).slice(0, 40)}: a whole number from 0 to ${UINT32_MAX} is needed`;
}
