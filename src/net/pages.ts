// Whether a web page asks. Where nobody is asked for a key, a page of another origin must not drive the broker from the
// browser of whoever visits it. What browsers send without asking anybody:
//
//   a form or script that posts    Origin, always; "null" where it is hidden
//   a link, image or script (GET)  Sec-Fetch-Site, to addresses of this machine
//   a page whose own name has come to mean this machine (DNS rebinding)
//                                  POST: Origin as above; GET: only its name, as Host
//
// Nothing else sends these headers: an SDK's request costs one look for an Origin, as its X-Amz-Target is a header that a
// page cannot send before its browser has asked, and been told no.

import type { HttpRequest } from "uWebSockets.js";
import { isIP } from "node:net";
import type { Incoming } from "./incoming.ts";
import type { Origins } from "./origins.ts";

export interface PageGuardOptions {
  readonly origins: Origins;
  /** What queue URLs begin with: a name that is ours. */
  readonly publicUrl: string | undefined;
  /** Only this machine reaches the broker, so no name but this machine's leads there for an honest reason. */
  readonly isLocal: boolean;
}

/** Names that mean this machine wherever they are asked for; the second is LocalStack's, whose users go by it. */
const LOCAL_NAMES = ["localhost", "localhost.localstack.cloud"];

const FOREIGN_SITES = ["cross-site", "same-site"]; // another port of this machine is another origin

export class PageGuard {
  readonly #origins: Origins;
  readonly #publicHost: string | undefined;
  readonly #isLocal: boolean;

  constructor({ origins, publicUrl, isLocal }: PageGuardOptions) {
    this.#origins = origins;
    this.#publicHost = publicUrl === undefined ? undefined : new URL(publicUrl).hostname.toLowerCase();
    this.#isLocal = isLocal;
  }

  /** @returns why the request is refused; undefined: it is not */
  problemOf(
    { method, target, origin, host }: Pick<Incoming, "method" | "target" | "origin" | "host">,
    req: Pick<HttpRequest, "getHeader">,
  ): string | undefined {
    if (origin !== "") return this.#origins.allows(origin) ? undefined : foreign(origin);
    if (method === "POST" && target !== "") return undefined;
    const site = req.getHeader("sec-fetch-site");
    if (FOREIGN_SITES.includes(site)) return foreign(site);
    if (method === "POST") return undefined;
    return this.#isLocal && !this.#isOurs(host) ? notOurs(host) : undefined;
  }

  #isOurs(host: string): boolean {
    const name = hostNameOf(host);
    if (name === "" || isIP(name) !== 0) return true;
    if (LOCAL_NAMES.some((local) => name === local || name.endsWith(`.${local}`))) return true;
    return name === this.#publicHost || this.#origins.hasHost(name);
  }
}

/** Without port and brackets, in lower case. */
function hostNameOf(host: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
  return (bracketed ?? plain ?? host).toLowerCase();
}

function foreign(origin: string): string {
  return `A web page of another origin (${quoted(origin)}) may not use this broker. --allow-origins lets one in.`;
}

function notOurs(host: string): string {
  return `This broker is not called ${quoted(host)}. --public-url gives it a name that GET requests may use.`;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
