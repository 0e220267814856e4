import { SqsError } from "./errors.ts";
import type { SqsReply } from "./exchange.ts";
import type { Renderer } from "./json.ts";
import type { Operation, Reply } from "./operation.ts";
import { newRequestId } from "./request-ids.ts";

/** One request that waits for its answer. */
export class PendingReply implements Reply<unknown> {
  operation: Operation | undefined;
  answered = false;
  /** Told of the answer before it leaves; with what went wrong, if it did. */
  onAnswer: ((failure: SqsError | undefined) => void) | undefined;
  readonly #renderer: Renderer;
  readonly #answer: (reply: SqsReply) => void;
  readonly #onFault: (error: unknown) => void;

  constructor(renderer: Renderer, answer: (reply: SqsReply) => void, onFault: (error: unknown) => void) {
    this.#renderer = renderer;
    this.#answer = answer;
    this.#onFault = onFault;
  }

  settle(make: () => unknown): void {
    if (this.answered || this.operation === undefined) return;
    let reply: SqsReply;
    try {
      reply = this.#renderer.success(this.operation, make(), newRequestId());
    } catch (error) {
      this.fail(error);
      return;
    }
    this.onAnswer?.(undefined);
    this.#send(reply);
  }

  /** Goes on after something was waited for, unless the client has gone meanwhile. */
  proceed(error: unknown, run: () => void): void {
    if (this.answered) return;
    try {
      if (error !== undefined) throw error;
      run();
    } catch (met) {
      this.fail(met);
    }
  }

  fail(error: unknown): void {
    if (error instanceof SqsError) {
      if (this.answered) return;
      this.onAnswer?.(error);
      this.#send(this.#renderer.failure(error, newRequestId()));
      return;
    }
    const requestId = newRequestId();
    const failure = new SqsError("InternalFailure", `The request failed inside the broker. Its id is ${requestId}.`);
    if (!this.answered) {
      this.onAnswer?.(failure);
      this.#send(this.#renderer.failure(failure, requestId));
    }
    this.#onFault(error);
  }

  /** What the service says to a plain GET of a queue URL, in XML whatever is accepted. */
  noAction(): void {
    const requestId = newRequestId();
    const body = "<UnknownOperationException/>";
    this.#send({ status: 404, contentType: "text/xml", requestId, queryError: undefined, body });
  }

  #send(reply: SqsReply): void {
    this.answered = true;
    this.#answer(reply);
  }
}
