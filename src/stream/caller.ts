// Who uses a stream, and what he may do with a queue. Where keys are checked that is found out once for everything that he
// opens, and again when the answer may be another: a message is never a reason to ask.
import type { Queue, QueueName } from "../broker/types.ts";
import type { Subprotocol } from "./codec.ts";
import { RequestError } from "./envelope.ts";

/** IAM's names, without "sqs:". */
export type Action =
  | "ChangeMessageVisibility"
  | "DeleteMessage"
  | "GetQueueAttributes"
  | "ReceiveMessage"
  | "SendMessage";

/** Who connects, and for which queues. */
export interface Caller {
  readonly account: string;
  readonly region: string;
  readonly senderId: string;
  /** Equal for all sessions that one limit is for. */
  readonly limitName: string;
  /** Absent where nobody is asked who he is: then he may do anything. */
  readonly standing?: Standing | undefined;
}

/** What is known of somebody who has signed. */
export interface Standing {
  /** Who he is: whoever comes back to a session must be the same. */
  readonly identity: string;
  /**
   * For whoever writes down what became of his sessions.
   * @param protocol undefined without a connection
   * @param text why one ended
   */
  session(action: "opened" | "resumed" | "ended", protocol: Subprotocol | undefined, text?: string): void;
  /** Why he is let in no more; undefined: he is. */
  lapsed(): string | undefined;
  /** Why he may not, in the service's words; undefined: he may. */
  refusal(action: Action, name: QueueName, queue: Queue | undefined): string | undefined;
}

/** What the caller of a session may do with one queue, as it was found out last. */
export class Rights {
  readonly #session: { readonly caller: Caller };
  readonly #queue: Queue;
  readonly #known = new Map<Action, string | undefined>();

  constructor(session: { readonly caller: Caller }, queue: Queue) {
    this.#session = session;
    this.#queue = queue;
  }

  refusal(action: Action): string | undefined {
    const { standing } = this.#session.caller;
    if (standing === undefined) return undefined;
    if (!this.#known.has(action)) this.#known.set(action, standing.refusal(action, this.#queue, this.#queue));
    return this.#known.get(action);
  }

  /** @throws RequestError ACCESS_DENIED */
  demand(action: Action): void {
    const text = this.refusal(action);
    if (text !== undefined) throw new RequestError("ACCESS_DENIED", text);
  }

  /** Keys, policies or circumstances may be others. @returns the first refusal among what he cannot be without */
  askAgain(actions: readonly Action[]): string | undefined {
    this.#known.clear();
    for (const action of actions) {
      const text = this.refusal(action);
      if (text !== undefined) return text;
    }
    return undefined;
  }
}
