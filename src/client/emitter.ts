// The part of Node's EventEmitter that consumers use, for browsers as well.
type Listener<A extends unknown[]> = (...args: A) => void;

export class Emitter<Events extends { [K in keyof Events]: unknown[] }> {
  readonly #listeners = new Map<keyof Events, { readonly listener: Listener<never>; readonly isOnce: boolean }[]>();

  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.#add(event, listener, false);
  }

  once<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.#add(event, listener, true);
  }

  off<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    const all = this.#listeners.get(event) ?? [];
    const index = all.findLastIndex((each) => each.listener === listener);
    if (index !== -1) this.#listeners.set(event, all.toSpliced(index, 1));
    return this;
  }

  addListener<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.on(event, listener);
  }

  removeListener<K extends keyof Events>(event: K, listener: Listener<Events[K]>): this {
    return this.off(event, listener);
  }

  removeAllListeners(event?: keyof Events): this {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
    return this;
  }

  listenerCount(event: keyof Events): number {
    return this.#listeners.get(event)?.length ?? 0;
  }

  /** Calls the listeners in their order. Whether there were any. */
  emit<K extends keyof Events>(event: K, ...args: Events[K]): boolean {
    const all = this.#listeners.get(event) ?? [];
    for (const { listener, isOnce } of all) {
      if (isOnce) this.off(event, listener as Listener<Events[K]>);
      (listener as Listener<Events[K]>)(...args);
    }
    return all.length > 0;
  }

  #add<K extends keyof Events>(event: K, listener: Listener<Events[K]>, isOnce: boolean): this {
    const all = this.#listeners.get(event) ?? [];
    this.#listeners.set(event, [...all, { listener: listener as Listener<never>, isOnce }]);
    return this;
  }
}
