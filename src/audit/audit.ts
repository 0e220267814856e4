// What an auditor asks for afterwards: who was refused, who changed what, which keys were used, which credentials were given
// out. One JSON object a line; no secret, no signature, no token and no message is in any.
import type { Clock } from "../base/clock.ts";

/** Who asked, as far as it is known. */
export interface Who {
  /** An ARN; "" for whoever has not shown who he is. */
  readonly principal: string;
  readonly accessKeyId: string; // as he says, where nobody has checked it; "" when he says none
  readonly address: string;
  readonly userAgent: string;
}

export interface Refusal {
  readonly api: "sqs" | "sts" | "stream" | "page";
  readonly action: string; // "" where it was not looked at any more
  readonly resource: string; // an ARN; "" likewise
  readonly code: string;
  readonly text: string;
}

/** A queue's key was asked to make or to unwrap a data key. */
export interface KeyAsked {
  readonly action: "GenerateDataKey" | "Decrypt";
  readonly key: string; // "" where only the key management knows
  readonly resource: string; // the queue's ARN; "" where it is not known
  readonly code: string; // "" when it was done
}

const TEXT_LENGTH_MAX = 512;
const REFUSALS_PER_SECOND_MAX = 100;
const KEYS_COUNTED_MAX = 10_000;

export interface AuditSink {
  write(line: string): void;
}

export class Audit {
  readonly #sink: AuditSink;
  readonly #clock: Clock;
  readonly #used = new Map<string, { accessKeyId: string; principal: string; address: string; signatures: number }>();
  readonly #asked = new Map<string, KeyAsked & { times: number }>();
  #refusalSecond = 0;
  #refusalCount = 0;
  #leftOut = 0;

  constructor(sink: AuditSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Whoever is refused can ask again as fast as he likes: beyond a hundred a second they are only counted. */
  refused(who: Who, refusal: Refusal): void {
    const second = Math.floor(this.#clock.nowMs() / 1000);
    if (second !== this.#refusalSecond) {
      this.#tellLeftOut();
      this.#refusalSecond = second;
      this.#refusalCount = 0;
    }
    if (++this.#refusalCount > REFUSALS_PER_SECOND_MAX) this.#leftOut++;
    else this.#write("refused", { ...refusal, ...who });
  }

  /** @param code "" when it was done */
  administered(who: Who, change: { readonly action: string; readonly resource: string; readonly code: string }): void {
    this.#write("administered", { ...change, ...who });
  }

  credentials(
    who: Who,
    given: {
      readonly action: string;
      readonly resource: string;
      readonly accessKeyGiven: string;
      readonly expires: string;
    },
  ): void {
    this.#write("credentials", { ...given, ...who });
  }

  /** A session began, went on over another connection, or was ended because its caller may not come in any more. */
  stream(
    who: Who,
    change: {
      readonly action: "opened" | "resumed" | "ended";
      readonly requestId: string;
      readonly protocol: string;
      readonly text: string;
    },
  ): void {
    this.#write("stream", { ...change, ...who });
  }

  /** Users, keys, roles or their policies may be others; "shut": there were none before. */
  identities(change: "shut" | "renewed"): void {
    this.#write("identities", { change });
  }

  /** A signature was right. Told by `flush`, once for all from one address. */
  used(accessKeyId: string, principal: string, address: string): void {
    const name = `${accessKeyId} ${address}`;
    const known = this.#used.get(name);
    if (known !== undefined) {
      known.signatures++;
      return;
    }
    if (this.#used.size >= KEYS_COUNTED_MAX) this.flush();
    this.#used.set(name, { accessKeyId, principal, address, signatures: 1 });
  }

  /** Told by `flush`, once for all that are alike. */
  keyAsked(asked: KeyAsked): void {
    const name = `${asked.action} ${asked.code} ${asked.resource} ${asked.key}`;
    const known = this.#asked.get(name);
    if (known !== undefined) {
      known.times++;
      return;
    }
    if (this.#asked.size >= KEYS_COUNTED_MAX) this.flush();
    this.#asked.set(name, { ...asked, times: 1 });
  }

  /** To be called once a minute, and at the end. */
  flush(): void {
    for (const asked of this.#asked.values()) this.#write("queue key asked", { ...asked });
    this.#asked.clear();
    for (const use of this.#used.values()) this.#write("key used", { ...use });
    this.#used.clear();
    this.#tellLeftOut();
  }

  #tellLeftOut(): void {
    if (this.#leftOut > 0) this.#write("refusals left out", { count: this.#leftOut });
    this.#leftOut = 0;
  }

  #write(event: string, members: { readonly [name: string]: string | number }): void {
    const line: { [name: string]: string | number } = { at: new Date(this.#clock.nowMs()).toISOString(), event };
    for (const [name, value] of Object.entries(members)) {
      if (value === "") continue;
      line[name] = typeof value === "string" ? value.slice(0, TEXT_LENGTH_MAX) : value;
    }
    this.#sink.write(`${JSON.stringify(line)}\n`);
  }
}
