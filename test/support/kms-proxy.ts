// What stands between a broker and its KMS: it counts what is asked, can be cut, and can refuse in the KMS's stead.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface KmsRefusal {
  readonly status: number;
  readonly type: string; // as in __type
  readonly message: string;
}

export class KmsProxy {
  readonly #server: Server;
  readonly #target: string | undefined;
  #asked: string[] = [];
  /** Bodies of what was asked, oldest first. */
  readonly bodies: string[] = [];
  isCut = false;
  isSilent = false; // takes what is asked, and never answers
  refusal: KmsRefusal | undefined;

  private constructor(target: string | undefined) {
    this.#target = target;
    this.#server = createServer((asked, answer) => this.#pass(asked, answer));
  }

  /** @param target where the KMS is; undefined: nobody is there, and only refusals are given */
  static async start(target?: string): Promise<KmsProxy> {
    const proxy = new KmsProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The actions asked for since the last call. */
  asked(): string[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  async #pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    if (this.isCut) {
      asked.socket.destroy();
      return;
    }
    const pieces: Buffer[] = [];
    for await (const piece of asked) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    this.#asked.push(String(asked.headers["x-amz-target"]).replace("TrentService.", ""));
    this.bodies.push(body.toString());
    if (this.isSilent) return;
    if (this.refusal !== undefined || this.#target === undefined) {
      const { status, type, message } = this.refusal ?? { status: 500, type: "InternalFailure", message: "" };
      answer.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      answer.end(JSON.stringify({ __type: type, message }));
      return;
    }
    const { method = "POST", headers, url = "/" } = asked;
    const forwarded = request(`${this.#target}${url}`, { method, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(answer);
    });
    forwarded.on("error", () => asked.socket.destroy());
    forwarded.end(body);
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
