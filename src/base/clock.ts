/** Milliseconds since the Unix epoch that never go backwards and never jump, whatever the wall clock does. */
export interface Clock {
  nowMs(): number;
}
