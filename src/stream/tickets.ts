// Connect tickets: what a page of an allowed origin brings instead of credentials. Each works once, for a short time, and
// for the origin it was made for.
import { randomBytes } from "node:crypto";
import type { Caller } from "./caller.ts";

export const TICKET_MS = 30_000;
const TICKETS_MAX = 100_000; // the oldest make room

interface Ticket {
  readonly origin: string;
  readonly caller: Caller;
  readonly endsMs: number;
}

export class Tickets {
  readonly #tickets = new Map<string, Ticket>(); // in the order in which they end

  issue(origin: string, caller: Caller, nowMs: number): string {
    for (const [text, { endsMs }] of this.#tickets) {
      if (endsMs > nowMs && this.#tickets.size < TICKETS_MAX) break;
      this.#tickets.delete(text);
    }
    const text = `tkt_${randomBytes(24).toString("base64url")}`;
    this.#tickets.set(text, { origin, caller, endsMs: nowMs + TICKET_MS });
    return text;
  }

  /** The ticket is used up, whatever comes of it. @returns undefined when it does not let anybody in */
  redeem(text: string, origin: string | undefined, nowMs: number): Caller | undefined {
    const ticket = this.#tickets.get(text);
    this.#tickets.delete(text);
    if (ticket === undefined || ticket.endsMs <= nowMs) return undefined;
    // Whoever is no browser has no origin; where keys are checked he signs, and has no use for a page's ticket.
    const isItsOwn = origin === undefined ? ticket.caller.standing === undefined : origin === ticket.origin;
    return isItsOwn ? ticket.caller : undefined;
  }

  clear(): void {
    this.#tickets.clear();
  }
}
