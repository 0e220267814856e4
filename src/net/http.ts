// HTTP on uWebSockets.js: bytes in, bytes out. It knows sizes and sockets, and nothing of queues.
import type { HttpRequest, HttpResponse, TemplatedApp } from "uWebSockets.js";
import { CONNECTION_COUNT_MAX } from "../limits.ts";
import type { Direct, Handle, SqsRequest } from "../sqs/exchange.ts";
import type { Uws } from "./addon.ts";
import { servePreflights } from "./cors.ts";
import { Exchange, type Shared } from "./exchange.ts";
import { GatheringBudget } from "./gathering.ts";
import { Incoming } from "./incoming.ts";
import type { Origins } from "./origins.ts";
import type { PageGuard } from "./pages.ts";
import { TlsError, type TlsFiles } from "./tls.ts";
import { Traffic } from "./traffic.ts";

/** Bodies that are still coming in may hold this much memory together; a further one is told to come again. */
const GATHERING_BYTES_MAX = 512 * 1024 * 1024;

/** How long close() lets answers be made, and how long those made may still be on their way to a slow reader. */
const ANSWERING_MS_MAX = 5_000;
const FLUSHING_MS = 100;

/** LIBUS_LISTEN_EXCLUSIVE_PORT: a second broker is told that the port is taken, not given half of the requests. */
const EXCLUSIVE_PORT = 1;

type ListenSocket = Parameters<Uws["us_socket_local_port"]>[0];

/** What the package's types lack, and the addon has: an app can hand what it accepts to others of its kind. */
interface Distributor {
  getDescriptor(): number;
  addChildAppDescriptor(this: TemplatedApp, descriptor: number): void;
  removeChildAppDescriptor(this: TemplatedApp, descriptor: number): void;
}

export interface Server {
  readonly port: number;
  /**
   * New connections get the pair that is in the files now; those there are go on with the one they have.
   * @throws TlsError when it cannot be used: then nothing has changed
   */
  renewTls(): void;
  /** No new connections and no new requests; resolves when what was asked has been answered and every connection is closed. */
  close(): Promise<void>;
}

/**
 * A path with a handler of its own, exact but for one slash at its end; "/a/*" is every path below "/a/". HEAD is
 * answered as GET, without the body: probes ask so.
 */
export interface Route {
  readonly path: string;
  readonly handle: Handle;
  /** Tells nothing that a web page could not know, so none is kept away. */
  readonly isHarmless?: boolean;
}

export interface ListenOptions {
  readonly uws: Uws;
  readonly host: string;
  readonly port: number; // 0: any that is free
  /** HTTPS and WSS, and nothing else on the port. */
  readonly tls?: TlsFiles | undefined;
  readonly handle: Handle;
  /** Asked before `handle`, for requests that it can answer with less work. */
  readonly direct?: Direct;
  readonly routes?: readonly Route[];
  /** Adds what is not plain HTTP, before anything else is served. */
  readonly extend?: (app: TemplatedApp) => void;
  /**
   * Whether signatures are checked, asked anew for each request: then handlers get every header and the client's address,
   * for which nobody else pays, and no page is kept away, as a link that is signed may stand on any.
   */
  readonly isChecked?: () => boolean;
  /** Give handlers headers and address although nothing is checked: somebody writes down who asks. */
  readonly withHeaders?: boolean;
  /** Connections at once; a further one is closed as soon as it is there. */
  readonly connectionCountMax?: number;
  /** Whose pages may read answers: those of other origins, if they are named. */
  readonly origins?: Origins;
  /** Told of a page that was kept away. */
  readonly onPageRefused?: (request: SqsRequest, problem: string) => void;
  /** Keeps web pages of other origins away; nobody does, if there is none. */
  readonly pages?: PageGuard | undefined;
  readonly gatheringBytesMax?: number;
}

export async function listen(options: ListenOptions): Promise<Server> {
  const { uws, host, port, isChecked = () => false, withHeaders = false } = options;
  const scheme: SqsRequest["scheme"] = options.tls === undefined ? "http" : "https";
  const traffic = new Traffic();
  const shared: Shared = {
    traffic,
    budget: new GatheringBudget(options.gatheringBytesMax ?? GATHERING_BYTES_MAX),
  };
  let connectionCount = 0;
  const { origins, connectionCountMax = CONNECTION_COUNT_MAX } = options;

  const serve = (
    app: TemplatedApp,
    path: string,
    handle: Handle,
    direct: Direct | undefined,
    servesHead: boolean,
    pages: PageGuard | undefined,
  ): void => {
    app.any(path, (res: HttpResponse, req: HttpRequest): void => {
      const checked = isChecked();
      const request = new Incoming(res, req, scheme, checked || withHeaders);
      const { origin } = request;
      const reader = origin !== "" && origins?.allows(origin) ? origin : "";
      const exchange = new Exchange(res, request, shared, handle, direct, servesHead, reader);
      const problem = checked ? undefined : pages?.problemOf(request, req);
      if (problem === undefined) exchange.start();
      else {
        options.onPageRefused?.(request, problem);
        exchange.deny(problem);
      }
    });
  };
  /** Everything that is served, on an app of its own: what certificate it has is told to the library when it is made. */
  const makeApp = (): TemplatedApp => {
    const app = options.tls === undefined ? uws.App() : secureApp(uws, options.tls);
    const onConnection = (res: HttpResponse, change: number): void => {
      connectionCount += change > 0 ? 1 : -1;
      if (change > 0 && connectionCount > connectionCountMax) res.close();
    };
    app.filter(onConnection);
    options.extend?.(app);
    if (origins !== undefined) servePreflights(app, origins);
    for (const { path, handle, isHarmless } of options.routes ?? []) {
      const pages = isHarmless ? undefined : options.pages;
      serve(app, path, handle, undefined, true, pages);
      if (!path.endsWith("/*")) serve(app, `${path}/`, handle, undefined, true, pages);
    }
    serve(app, "/*", options.handle, options.direct, false, options.pages);
    return app;
  };
  const listener = makeApp();
  const apps = [listener]; // the last one takes new connections; there is one more for every renewal

  const renewTls = (): void => {
    const app = makeApp();
    const before = apps.at(-1);
    // The listener goes on accepting, for others: no connection finds the port closed.
    const { addChildAppDescriptor, removeChildAppDescriptor } = listener as unknown as Distributor;
    addChildAppDescriptor.call(listener, descriptorOf(app));
    if (before !== undefined && before !== listener) removeChildAppDescriptor.call(listener, descriptorOf(before));
    apps.push(app);
  };

  const close = async (listening: ListenSocket): Promise<void> => {
    uws.us_listen_socket_close(listening);
    await traffic.quiet(ANSWERING_MS_MAX);
    // Connections with an answer on its way close themselves behind it; what is left after this is idle, or does not read.
    if (connectionCount > 0) await new Promise((flushed) => setTimeout(flushed, FLUSHING_MS));
    for (const app of apps) app.close();
  };
  return new Promise((resolve, reject) => {
    const onListen = (socket: ListenSocket | false): void => {
      if (!socket) {
        reject(new Error(`Cannot listen on ${host}:${port}: the address is in use, or not this machine's`));
        return;
      }
      resolve({ port: uws.us_socket_local_port(socket), renewTls, close: () => close(socket) });
    };
    // The package's types lack the form with an address and options, which the addon has.
    const listenAt = listener.listen as unknown as (
      this: TemplatedApp,
      host: string,
      port: number,
      options: number,
      done: typeof onListen,
    ) => void;
    listenAt.call(listener, host, port, EXCLUSIVE_PORT, onListen);
  });
}

function descriptorOf(app: TemplatedApp): number {
  return (app as unknown as Distributor).getDescriptor();
}

/** @throws TlsError when the library does not take the pair; checkTls says more of most that is wrong with one */
function secureApp(uws: Uws, { certPath, keyPath }: TlsFiles): TemplatedApp {
  try {
    return uws.SSLApp({ cert_file_name: certPath, key_file_name: keyPath });
  } catch {
    throw new TlsError(`Cannot serve TLS with ${certPath} and ${keyPath}: the library does not take them`);
  }
}
