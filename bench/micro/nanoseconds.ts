// How long a short call takes, by the wall clock.
const ROUND_MS = 40;

/** One round: of a call whose result is not looked at. */
export function nanosecondsEach(call: () => unknown): number {
  const startMs = performance.now();
  let count = 0;
  while (performance.now() - startMs < ROUND_MS) {
    for (let i = 0; i < 16; i++) call();
    count += 16;
  }
  return ((performance.now() - startMs) * 1e6) / count;
}
