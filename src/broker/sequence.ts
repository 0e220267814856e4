/** A sequence number as clients see it: 20 digits, as SQS's are. */
export function sequenceText(sequence: number): string {
  return `1${String(sequence).padStart(19, "0")}`;
}
