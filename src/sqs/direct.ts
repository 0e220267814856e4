// The way for the requests that carry messages in AWS JSON: their text goes into the core as it came, and what comes out is
// the answer. Only what is plainly right goes this way; the actions of this room take everything else, from the start.
import type { Broker, DirectBroker, Queue, Received, Receiver } from "../broker/types.ts";
import { receivedOutput, receiveMessage } from "./actions/receive-message.ts";
import type { Caller } from "./caller.ts";
import { SqsError } from "./errors.ts";
import type { Client, Direct, SqsRequest } from "./exchange.ts";
import { type Gate, openGate } from "./gate.ts";
import { JSON_RENDERER, JSON_TYPE, jsonReply } from "./json.ts";
import { selectionOf } from "./message-attributes.ts";
import { nameOfUrl } from "./operation.ts";
import { PendingReply } from "./pending-reply.ts";

/** Queue URLs, and accounts with their regions, remembered at once. */
const URL_COUNT_MAX = 10_000;
const URL_LENGTH_MAX = 512;
/** Of what a receive wants: the bit above those of the system attributes. */
const ALL_ATTRIBUTES = 2 ** 31;
const ALL = selectionOf(["All"]);

export interface DirectOptions {
  readonly account: string; // as for createSqs, like the next one
  readonly defaultRegion: string;
  readonly gate?: Gate;
  readonly onFault: (error: unknown) => void;
}

type Way = (request: SqsRequest, caller: Caller, client: Client) => ReturnType<Direct>;

/** @returns a Direct for the five actions that it has a way for */
export function createDirect(broker: Broker, direct: DirectBroker, options: DirectOptions): Direct {
  const queues = new QueuesByUrl(broker, direct);
  const gate = options.gate ?? openGate(options);
  const taken = (done: boolean): undefined | false => (done ? undefined : false);
  /** @returns undefined when there is no such queue. @throws SqsError when the caller may not */
  const enter = (url: string | undefined, caller: Caller, request: SqsRequest, action: string): Queue | undefined => {
    const queue = queues.find(url, caller);
    if (queue === undefined) return undefined;
    gate.permit(caller, request, action, { name: queue, queue, requestTags: undefined });
    return queue;
  };
  const send =
    (batch: boolean): Way =>
    (request, caller, client) => {
      const url = direct.parseSend(request.body, batch, caller.senderId);
      const queue = enter(url, caller, request, "sqs:SendMessage");
      return taken(queue !== undefined && direct.send(queue, batch, client));
    };
  const remove =
    (batch: boolean): Way =>
    (request, caller, client) => {
      const queue = enter(direct.parseDelete(request.body, batch), caller, request, "sqs:DeleteMessage");
      return taken(queue !== undefined && direct.delete(queue, batch, client));
    };
  const receive: Way = (http, caller, client) => {
    const request = direct.parseReceive(http.body);
    const queue = enter(request?.queueUrl, caller, http, "sqs:ReceiveMessage");
    if (request === undefined || queue === undefined) return false;
    const { settings } = queue;
    const countMax = request.countMax ?? 1;
    const visibilityMs = request.visibilityMs ?? settings.visibilitySeconds * 1000;
    const waitMs = request.waitMs ?? settings.waitSeconds * 1000;
    const mayBeEmpty = settings.fifo || waitMs > 0;
    const receiver = new DirectReceiver(client, request.wanted, mayBeEmpty, options.onFault);
    return direct.receive(queue, { countMax, visibilityMs, waitMs, attemptId: undefined }, receiver);
  };
  const ways: ReadonlyMap<string, Way> = new Map([
    ["AmazonSQS.SendMessage", send(false)],
    ["AmazonSQS.SendMessageBatch", send(true)],
    ["AmazonSQS.ReceiveMessage", receive],
    ["AmazonSQS.DeleteMessage", remove(false)],
    ["AmazonSQS.DeleteMessageBatch", remove(true)],
  ]);
  return (request, client) => {
    if (request.contentType !== JSON_TYPE || request.traceHeader !== "") return false;
    const way = ways.get(request.target);
    if (way === undefined) return false;
    try {
      return way(request, gate.admit(request), client);
    } catch (error) {
      if (error instanceof SqsError) return false; // told on the other way, where errors have their words
      throw error;
    }
  };
}

class DirectReceiver implements Receiver {
  readonly wanted: number;
  readonly #client: Client;
  readonly #mayBeEmpty: boolean;
  readonly #onFault: (error: unknown) => void;

  constructor(client: Client, wanted: number, mayBeEmpty: boolean, onFault: (error: unknown) => void) {
    this.#client = client;
    this.wanted = wanted;
    this.#mayBeEmpty = mayBeEmpty;
    this.#onFault = onFault;
  }

  composed(body: Uint8Array): void {
    this.#client.answer(jsonReply(body));
  }

  /** As the action does it. */
  received(received: Received): void {
    const selection = this.wanted >= ALL_ATTRIBUTES ? ALL : undefined;
    const pending = new PendingReply(JSON_RENDERER, (answer) => this.#client.answer(answer), this.#onFault);
    pending.operation = receiveMessage;
    pending.settle(() =>
      receivedOutput(received, this.#mayBeEmpty, undefined, this.wanted & ~ALL_ATTRIBUTES, selection),
    );
  }
}

/** Reading a URL and looking its queue up costs more than remembering both. */
class QueuesByUrl {
  readonly #broker: Broker;
  readonly #direct: DirectBroker;
  readonly #known = new Map<string, Map<string, Queue>>(); // by account and region, then by URL
  #count = 0;
  #version = -1;
  #caller: Caller | undefined; // who asked last, and his queues
  #queues = new Map<string, Queue>();

  constructor(broker: Broker, direct: DirectBroker) {
    this.#broker = broker;
    this.#direct = direct;
  }

  find(url: string | undefined, caller: Caller): Queue | undefined {
    if (url === undefined) return undefined;
    const version = this.#direct.queuesVersion;
    if (version !== this.#version || this.#count > URL_COUNT_MAX) {
      this.#known.clear();
      this.#count = 0;
      this.#version = version;
      this.#caller = undefined;
    }
    if (caller !== this.#caller) {
      this.#queues = this.#queuesOf(caller);
      this.#caller = caller;
    }
    const queues = this.#queues;
    const known = queues.get(url);
    if (known !== undefined) return known;
    const { account, region } = caller;
    const name = nameOfUrl({ broker: this.#broker, account, region }, url);
    const queue = name === undefined ? undefined : this.#broker.find(name);
    if (queue === undefined || url.length > URL_LENGTH_MAX) return queue;
    queues.set(url, queue);
    this.#count++;
    return queue;
  }

  #queuesOf({ account, region }: Caller): Map<string, Queue> {
    const place = `${account}/${region}`;
    let queues = this.#known.get(place);
    if (queues === undefined) {
      queues = new Map();
      this.#known.set(place, queues);
      this.#count++;
    }
    return queues;
  }
}
