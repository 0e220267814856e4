// Who is noisy on a fair queue, slow and obvious: every stretch of time that a message was in flight is kept, and counted
// when somebody asks. The core judges a group when it comes to one of its messages, which depends on an order that this
// model does not foresee; so it knows who is surely noisy and who may be, and refuses what neither allows.

const IN_FLIGHT_MIN = 30;
const WORKTIME_MS_MIN = 10_000;
const WINDOW_MS = 60_000;
const SILENT_MS = 300_000;

export interface FairMessage {
  readonly body: string;
  readonly groupId: string | undefined;
  readonly sentMs: number;
  readonly hiddenUntilMs: number;
}

interface Stretch {
  readonly groupId: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  forgotten: boolean; // by its group; the queue still counts it
}

export class ModelFair {
  #stretches: Stretch[] = [];
  #untilMs = 0;
  readonly #lastSentMs = new Map<string, number>();
  readonly #surely = new Set<string>();
  readonly #maybe = new Set<string>(); // all of those, and others

  /** Time goes on to `nowMs`; `messages` are as they were. */
  pass(messages: readonly FairMessage[], retentionMs: number, nowMs: number): void {
    for (const { groupId, sentMs, hiddenUntilMs } of messages) {
      const endMs = sentMs + retentionMs;
      const toMs = Math.min(hiddenUntilMs, endMs, nowMs);
      if (toMs > this.#untilMs) this.#stretches.push({ groupId, fromMs: this.#untilMs, toMs, forgotten: false });
      // It may have been the group's last visible one, before others came back.
      if (endMs <= nowMs && groupId !== undefined) this.#surely.delete(groupId);
    }
    this.#untilMs = nowMs;
    this.#stretches = this.#stretches.filter(({ toMs }) => toMs > nowMs - 2 * WINDOW_MS);
    for (const [groupId, lastSentMs] of this.#lastSentMs) {
      if (lastSentMs + SILENT_MS <= nowMs) this.#calm(groupId);
    }
  }

  #calm(groupId: string): void {
    this.#surely.delete(groupId);
    this.#maybe.delete(groupId);
  }

  sent(groupId: string | undefined, nowMs: number): void {
    if (groupId !== undefined) this.#lastSentMs.set(groupId, nowMs);
  }

  /** `messages` are what is left after something has happened, `visible` those of them that are. */
  settle(messages: readonly FairMessage[], visible: readonly FairMessage[]): void {
    for (const groupId of [...this.#lastSentMs.keys()]) {
      if (!visible.some((each) => each.groupId === groupId)) this.#calm(groupId);
      if (messages.some((each) => each.groupId === groupId)) continue;
      this.#lastSentMs.delete(groupId);
      for (const stretch of this.#stretches) if (stretch.groupId === groupId) stretch.forgotten = true;
    }
    if (this.#lastSentMs.size === 0) this.#stretches = [];
  }

  /** A start knows what is in flight, and nothing of what was. */
  restart(messages: readonly FairMessage[]): void {
    this.#stretches = [];
    this.#surely.clear();
    this.#maybe.clear();
    this.#lastSentMs.clear();
    for (const { groupId, sentMs } of messages) {
      if (groupId !== undefined)
        this.#lastSentMs.set(groupId, Math.max(sentMs, this.#lastSentMs.get(groupId) ?? sentMs));
    }
  }

  /** Consumers' time in the last minute or two, in ms times WINDOW_MS. */
  #lately(stretches: readonly Stretch[]): number {
    const nowMs = this.#untilMs;
    const startMs = nowMs - (nowMs % WINDOW_MS);
    const within = (fromMs: number, toMs: number) =>
      stretches.reduce((sum, each) => sum + Math.max(0, Math.min(each.toMs, toMs) - Math.max(each.fromMs, fromMs)), 0);
    return within(startMs - WINDOW_MS, startMs) * (startMs + WINDOW_MS - nowMs) + within(startMs, nowMs) * WINDOW_MS;
  }

  /** Whether the group has too large a share now. */
  #isOver(groupId: string, inFlight: readonly FairMessage[]): boolean {
    if ((this.#lastSentMs.get(groupId) as number) + SILENT_MS <= this.#untilMs) return false;
    const own = inFlight.filter((each) => each.groupId === groupId);
    if (own.length >= IN_FLIGHT_MIN && own.length * 10 > inFlight.length) return true;
    const worked = this.#lately(this.#stretches.filter((each) => each.groupId === groupId && !each.forgotten));
    return worked >= WORKTIME_MS_MIN * WINDOW_MS && worked * 10 > this.#lately(this.#stretches);
  }

  /** A receive looks at what is available. */
  look(available: readonly FairMessage[], inFlight: readonly FairMessage[]): void {
    for (const { groupId } of available) {
      if (groupId !== undefined && this.#isOver(groupId, inFlight)) this.#maybe.add(groupId);
    }
  }

  /** Hands `message` out, one of `available`. @returns why it must not be this one, undefined when it may */
  take(message: FairMessage, available: readonly FairMessage[], inFlight: readonly FairMessage[]): string | undefined {
    this.look(available, inFlight);
    const { groupId } = message;
    if (groupId === undefined) return undefined;
    if (!this.#surely.has(groupId) && !this.#isOver(groupId, inFlight)) {
      // Quiet, judged just now; or noisy from before, when that can be and nothing else goes before it.
      const mayBeNoisy = this.#maybe.has(groupId) && this.#isNoisyFirst(message, available, inFlight);
      if (!mayBeNoisy) this.#maybe.delete(groupId);
      return undefined;
    }
    const quiet = available.find((each) => each.groupId === undefined || !this.#maybe.has(each.groupId));
    if (quiet !== undefined) return `${quiet.body} of a quiet group comes before ${message.body}`;
    if (!this.#isNoisyFirst(message, available, inFlight)) return `${groupId} has not the fewest in flight`;
    for (const each of available) this.#surely.add(each.groupId as string);
    return undefined;
  }

  /** Whether the message may be what comes first when all are noisy. */
  #isNoisyFirst(
    { groupId }: FairMessage,
    available: readonly FairMessage[],
    inFlight: readonly FairMessage[],
  ): boolean {
    const countOf = (group: string | undefined) => inFlight.filter((each) => each.groupId === group).length;
    const own = countOf(groupId);
    return available.every((each) => {
      const { groupId: other } = each;
      return other !== undefined && this.#maybe.has(other) && countOf(other) >= own;
    });
  }

  /** Whether there may be so many noisy groups. */
  allows(noisyGroupCount: number): boolean {
    return this.#surely.size <= noisyGroupCount && noisyGroupCount <= this.#maybe.size;
  }
}
