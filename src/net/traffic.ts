/** How many requests are being answered, for whoever has to wait until none is. */
export class Traffic {
  #answeringCount = 0;
  #onQuiet: (() => void) | undefined; // set while closing

  /** True once nothing new is taken. */
  get isClosing(): boolean {
    return this.#onQuiet !== undefined;
  }

  begin(): void {
    this.#answeringCount++;
  }

  end(): void {
    this.#answeringCount--;
    if (this.#answeringCount === 0) this.#onQuiet?.();
  }

  /** Takes nothing new from here on; resolves when what was taken has been answered, or after `atMostMs`. */
  quiet(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const late = setTimeout(resolve, atMostMs);
      this.#onQuiet = () => {
        clearTimeout(late);
        resolve();
      };
      if (this.#answeringCount === 0) this.#onQuiet();
    });
  }
}
