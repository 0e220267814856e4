// What is known of queues that nobody looks at, by their index in the core: columns instead of an object each.

const ROW_COUNT_MIN = 1_024;

export interface QueueRow {
  readonly number: number; // lasts as long as the queue
  readonly coreNumber: number; // lasts until a purge
  readonly createdMs: number;
  readonly namespaceId: number;
  readonly settingsId: number;
}

export class QueueRows {
  #numbers = new Uint32Array(ROW_COUNT_MIN);
  #coreNumbers = new Uint32Array(ROW_COUNT_MIN);
  #createdMs = new Float64Array(ROW_COUNT_MIN);
  #namespaceIds = new Uint32Array(ROW_COUNT_MIN);
  #settingsIds = new Uint16Array(ROW_COUNT_MIN);

  set(index: number, row: QueueRow): void {
    if (index >= this.#numbers.length) this.#grow(index);
    this.#numbers[index] = row.number;
    this.#coreNumbers[index] = row.coreNumber;
    this.#createdMs[index] = row.createdMs;
    this.#namespaceIds[index] = row.namespaceId;
    this.#settingsIds[index] = row.settingsId;
  }

  #grow(index: number): void {
    let count = this.#numbers.length;
    while (count <= index) count *= 2;
    const grown = <A extends { set(from: A): void }>(to: A, from: A): A => {
      to.set(from);
      return to;
    };
    this.#numbers = grown(new Uint32Array(count), this.#numbers);
    this.#coreNumbers = grown(new Uint32Array(count), this.#coreNumbers);
    this.#createdMs = grown(new Float64Array(count), this.#createdMs);
    this.#namespaceIds = grown(new Uint32Array(count), this.#namespaceIds);
    this.#settingsIds = grown(new Uint16Array(count), this.#settingsIds);
  }

  number(index: number): number {
    return this.#numbers[index] ?? 0;
  }
  coreNumber(index: number): number {
    return this.#coreNumbers[index] ?? 0;
  }
  createdMs(index: number): number {
    return this.#createdMs[index] ?? 0;
  }
  namespaceId(index: number): number {
    return this.#namespaceIds[index] ?? 0;
  }
  settingsId(index: number): number {
    return this.#settingsIds[index] ?? 0;
  }
}
