import { expect, test } from "vitest";
import { Loads } from "../../src/broker/loads.ts";

const PLACES = 64;
const pass = () => new Promise((resolve) => setImmediate(resolve));

test("whoever finds no place is called when there is one, in order, and not if he has been forgotten", async () => {
  const loads = new Loads();
  for (let i = 0; i < PLACES; i++) expect(loads.begin(() => {})).toBe(true);
  const called: number[] = [];
  const waiting = [0, 1, 2].map((number) => () => {
    called.push(number);
    loads.begin(() => {});
  });
  for (const again of waiting) expect(loads.begin(again)).toBe(false);
  loads.forget(waiting[1] as () => void);
  loads.end();
  await pass();
  expect(called).toEqual([0]);
  await pass();
  expect(called).toEqual([0]);
  loads.end();
  await pass();
  expect(called).toEqual([0, 2]);
});

test("those who have nothing to read once it is their turn keep nobody waiting", async () => {
  const loads = new Loads();
  for (let i = 0; i < PLACES; i++) loads.begin(() => {});
  let calledCount = 0;
  for (let i = 0; i < 3 * PLACES; i++) loads.begin(() => calledCount++);
  for (let i = 0; i < PLACES; i++) loads.end();
  for (let passes = 0; passes < 5; passes++) await pass();
  expect(calledCount).toBe(3 * PLACES);
});
