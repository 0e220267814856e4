// Names without strings: the same answers as a Map's, whatever is set and deleted.
import { array, assert, constantFrom, nat, property, record, stringMatching } from "fast-check";
import { expect, test } from "vitest";
import { RowNames } from "../../src/broker/row-names.ts";

const step = record({
  does: constantFrom("set", "set", "delete", "get"),
  name: stringMatching(/^[a-c]{0,3}$/),
  index: nat(2 ** 32 - 1),
});

test("names have the index that they were given last", () => {
  assert(
    property(array(step, { maxLength: 200 }), (steps) => {
      const names = new RowNames();
      const model = new Map<string, number>();
      for (const { does, name, index } of steps) {
        if (does === "set") {
          expect(names.set(name, index)).toBe(true);
          model.set(name, index);
        } else if (does === "delete") {
          names.delete(name);
          model.delete(name);
        }
        expect(names.get(name)).toBe(model.get(name));
        expect(names.size).toBe(model.size);
      }
      expect([...names.names()].sort()).toEqual([...model.keys()].sort());
      for (const index of model.values())
        expect(model.get(names.nameWhere((other) => other === index) ?? "")).toBe(index);
    }),
  );
});

test("many names, of which most go again", () => {
  const names = new RowNames();
  const nameOf = (i: number): string => `${"long-".repeat(10)}${i}`;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 30_000; i++) names.set(nameOf(i), i);
    for (let i = 0; i < 30_000; i++) if (i % 100 !== 0) names.delete(nameOf(i));
    expect(names.size).toBe(300);
    for (let i = 0; i < 30_000; i++) expect(names.get(nameOf(i))).toBe(i % 100 === 0 ? i : undefined);
    expect(names.nameWhere((index) => index === 29_900)).toBe(nameOf(29_900));
    expect(names.nameWhere((index) => index === 29_901)).toBe(undefined);
  }
});

test("a name of wide characters, or of more than 255, is none that it holds", () => {
  const names = new RowNames();
  expect(names.set("naïve", 1)).toBe(true);
  for (const name of ["\u0101", "x".repeat(256), "na\u012fve"]) {
    expect(names.set(name, 2)).toBe(false);
    expect(names.get(name)).toBe(undefined);
    names.delete(name);
  }
  expect([...names.names()]).toEqual(["naïve"]);
});
