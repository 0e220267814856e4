// Which pages may use the broker: those of its own origin, and those that the operator names.

/** Names under which this machine is its own origin, whatever the Host header says. */
const OWN_HOSTS = ["127.0.0.1", "localhost", "[::1]"];

export class Origins {
  readonly #named: ReadonlySet<string>;
  readonly #own = new Set<string>();

  /** @param named "https://console.example.com"; "*": every origin */
  constructor(named: readonly string[]) {
    this.#named = new Set(named.map((each) => each.toLowerCase().replace(/\/$/, "")));
  }

  /** The broker listens there. */
  listening(host: string, port: number): void {
    const hosts = new Set([...OWN_HOSTS, host.includes(":") ? `[${host}]` : host]);
    for (const each of hosts) {
      this.#own.add(`http://${each}:${port}`);
      this.#own.add(`https://${each}:${port}`);
    }
  }

  /** @param name without a port, in lower case. @returns whether pages of that host may use the broker */
  hasHost(name: string): boolean {
    return [...this.#named, ...this.#own].some((origin) => origin === "*" || new URL(origin).hostname === name);
  }

  /** A Host header that is trusted to be ours would let any name that resolves to us in: it is not looked at. */
  allows(origin: string): boolean {
    const lower = origin.toLowerCase();
    return this.#named.has("*") || this.#named.has(lower) || this.#own.has(lower);
  }
}
