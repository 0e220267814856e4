// How much of consumers' time went into messages lately: milliseconds in flight, summed over messages. A measure is 24
// bytes in anybody's cell and costs the same however much is measured: it is brought up to date whenever the number in
// flight changes, by that number times the time since.
//
//   0  8  in the minute before the present one    8  8  in the present minute    16  8  brought up to date at, ms
//
// Minutes are those of the clock. Read, the minute before counts for as much of it as is less than a minute ago, as if
// it had been even: so the measure looks back one to two minutes, and forgets what is older.
const WINDOW_MS: u64 = 60_000;

export function begin(measure: usize, nowMs: u64): void {
  store<u64>(measure, 0);
  store<u64>(measure, 0, 8);
  store<u64>(measure, nowMs, 16);
}

/** Since the last time `inFlight` messages were in flight. */
export function add(measure: usize, inFlight: u32, nowMs: u64): void {
  const sinceMs = load<u64>(measure, 16);
  if (nowMs <= sinceMs) return;
  const startMs = nowMs - nowMs % WINDOW_MS; // of the present minute
  store<u64>(measure, nowMs, 16);
  if (sinceMs >= startMs) {
    store<u64>(measure, load<u64>(measure, 8) + inFlight * (nowMs - sinceMs), 8);
    return;
  }
  const isNext = sinceMs + WINDOW_MS >= startMs;
  store<u64>(measure, isNext ? load<u64>(measure, 8) + inFlight * (startMs - sinceMs) : inFlight * WINDOW_MS);
  store<u64>(measure, inFlight * (nowMs - startMs), 8);
}

/** What was measured, in milliseconds times WINDOW_MS: nothing is lost to rounding. Bring it up to date first. */
export function lately(measure: usize, nowMs: u64): u64 {
  return load<u64>(measure) * (WINDOW_MS - nowMs % WINDOW_MS) + load<u64>(measure, 8) * WINDOW_MS;
}

/** `ms` as lately() has it. */
export function scaled(ms: u64): u64 { return ms * WINDOW_MS; }
