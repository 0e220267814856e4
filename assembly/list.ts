// Doubly linked lists of cells, through bytes 48 (next) and 52 (prev) of each; a list is two u32 anywhere: head, tail.
import { at, NONE } from "./slab";

const NEXT: usize = 48;
const PREV: usize = 52;

export function pushBack(list: usize, cell: u32): void {
  const tail = load<u32>(list, 4);
  const p = at(cell);
  store<u32>(p, NONE, NEXT);
  store<u32>(p, tail, PREV);
  if (tail == NONE) store<u32>(list, cell);
  else store<u32>(at(tail), cell, NEXT);
  store<u32>(list, cell, 4);
}

export function pushFront(list: usize, cell: u32): void {
  const head = load<u32>(list);
  const p = at(cell);
  store<u32>(p, head, NEXT);
  store<u32>(p, NONE, PREV);
  if (head == NONE) store<u32>(list, cell, 4);
  else store<u32>(at(head), cell, PREV);
  store<u32>(list, cell);
}

export function remove(list: usize, cell: u32): void {
  const p = at(cell);
  const next = load<u32>(p, NEXT);
  const prev = load<u32>(p, PREV);
  if (prev == NONE) store<u32>(list, next);
  else store<u32>(at(prev), next, NEXT);
  if (next == NONE) store<u32>(list, prev, 4);
  else store<u32>(at(next), prev, PREV);
  store<u32>(p, NONE, NEXT);
  store<u32>(p, NONE, PREV);
}
