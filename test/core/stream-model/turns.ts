// Whose turn it is at a queue: nobody is served twice while another waits who could have had it. On FIFO queues whoever
// has a message of a group goes on with it, whatever the others wait for; for a group that is free he stands in line.

export interface Served {
  readonly who: string;
  /** Something that whoever waits could have had. */
  readonly isInTurn: boolean;
}
export class Turns {
  #servedCount = 0;
  /** By consumer: as how many-th it was served last. */
  readonly #last = new Map<string, number>();
  /** By consumer who has waited ever since: how many had been served by then. */
  readonly #since = new Map<string, number>();
  /** Of those that were served, before how many others waited. */
  contestedCount = 0;

  /** Everybody stands in line anew. */
  forget(): void {
    this.#since.clear();
  }

  /**
   * @param served in their order @param waiting who waits after that
   * @returns who was passed over
   */
  pass(served: readonly Served[], waiting: readonly string[]): string | undefined {
    let problem: string | undefined;
    served.forEach(({ who, isInTurn }, i) => {
      const last = this.#last.get(who) ?? 0;
      const isThere = (other: string) => waiting.includes(other) || served.slice(i).some((each) => each.who === other);
      for (const [other, since] of isInTurn ? this.#since : []) {
        if (other === who || !isThere(other)) continue;
        this.contestedCount++;
        if (since < last) problem ??= `${who} is served again, and ${other} waits`;
      }
      this.#since.delete(who);
      this.#last.set(who, ++this.#servedCount);
    });
    for (const other of [...this.#since.keys()]) if (!waiting.includes(other)) this.#since.delete(other);
    for (const other of waiting) if (!this.#since.has(other)) this.#since.set(other, this.#servedCount);
    return problem;
  }
}
