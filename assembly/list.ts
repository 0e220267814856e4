// Doubly linked lists of cells, slots and others, through the links of each (slab.ts); a list is two u32 anywhere: head, tail.
import { linksAt, NONE } from "./slab";

const NEXT: usize = 48;
const PREV: usize = 52;

// @ts-ignore: decorator
@inline export function pushBack(list: usize, cell: u32): void {
  const tail = load<u32>(list, 4);
  const p = linksAt(cell);
  store<u32>(p, NONE, NEXT);
  store<u32>(p, tail, PREV);
  if (tail == NONE) store<u32>(list, cell);
  else store<u32>(linksAt(tail), cell, NEXT);
  store<u32>(list, cell, 4);
}

/** The cell behind it, NONE at the end. */
// @ts-ignore: decorator
@inline export function next(cell: u32): u32 { return load<u32>(linksAt(cell), NEXT); }

export function pushFront(list: usize, cell: u32): void {
  const head = load<u32>(list);
  const p = linksAt(cell);
  store<u32>(p, head, NEXT);
  store<u32>(p, NONE, PREV);
  if (head == NONE) store<u32>(list, cell, 4);
  else store<u32>(linksAt(head), cell, PREV);
  store<u32>(list, cell);
}

/** Takes the cells from the first of one list to `last`, which is in it, to the back of another one. */
export function moveFront(from: usize, last: u32, to: usize): void {
  const first = load<u32>(from);
  cutFront(from, load<u32>(linksAt(last), NEXT));
  const tail = load<u32>(to, 4);
  store<u32>(linksAt(first), tail, PREV);
  store<u32>(linksAt(last), NONE, NEXT);
  if (tail == NONE) store<u32>(to, first);
  else store<u32>(linksAt(tail), first, NEXT);
  store<u32>(to, last, 4);
}

/** The cells before `rest` are out of the list, and their links the caller's; NONE: all of them. */
export function cutFront(list: usize, rest: u32): void {
  store<u32>(list, rest);
  if (rest == NONE) store<u32>(list, NONE, 4);
  else store<u32>(linksAt(rest), NONE, PREV);
}

export function remove(list: usize, cell: u32): void {
  const p = linksAt(cell);
  const next = load<u32>(p, NEXT);
  const prev = load<u32>(p, PREV);
  if (prev == NONE) store<u32>(list, next);
  else store<u32>(linksAt(prev), next, NEXT);
  if (next == NONE) store<u32>(list, prev, 4);
  else store<u32>(linksAt(next), prev, PREV);
  store<u32>(p, NONE, NEXT);
  store<u32>(p, NONE, PREV);
}
