// Who asks, and where: read from the credential scope, `<key>/<yyyymmdd>/<region>/sqs/aws4_request`, of the Authorization
// header or the query string. Nobody checks the signature here.

import type { Credential } from "../auth/authenticate.ts";
import type { Principal } from "../auth/principal.ts";
import type { SqsRequest } from "./exchange.ts";
import { regionOfHost } from "./names.ts";

export interface Caller {
  readonly account: string; // 12 digits
  readonly region: string;
  readonly senderId: string;
  /** Who he is, where signatures are checked; and the key he signed with. */
  readonly principal?: Principal;
  readonly accessKeyId?: string | undefined;
  /** For whoever has to ask later whether it still is good. */
  readonly credential?: Credential | undefined;
}

/** What of a request tells who asks. */
type Credentials = Pick<SqsRequest, "authorization" | "query" | "host">;

const CREDENTIAL_COUNT_MAX = 512;
const REGION = /^[a-z0-9-]{1,64}$/;
const ACCESS_KEY = /^[A-Za-z0-9_.-]{1,128}$/;
const ACCOUNT = /^\d{12}$/;

/**
 * Callers, as they say they are. Whoever asks again is known by what names him: the beginning of his Authorization, which
 * stays the same for a day, or that there is none; and the host.
 */
export class Callers {
  readonly #account: string;
  readonly #region: string;
  #last: Caller | undefined;
  #lastNamed = ""; // the beginning of the last one's Authorization; "": there was none, and no query
  #lastHost = "";

  /** As for callerOf. */
  constructor(account: string, region: string) {
    this.#account = account;
    this.#region = region;
  }

  of(request: Credentials): Caller {
    const { authorization, query, host } = request;
    if (this.#last !== undefined && host === this.#lastHost && this.#names(authorization, query)) return this.#last;
    const { end } = scopeOf(request);
    const caller = callerOf(request, this.#account, this.#region);
    this.#last = end > 0 || (authorization === "" && query === "") ? caller : undefined;
    this.#lastNamed = authorization.slice(0, end);
    this.#lastHost = host;
    return caller;
  }

  #names(authorization: string, query: string): boolean {
    if (this.#lastNamed === "") return authorization === "" && query === "";
    return authorization.startsWith(this.#lastNamed);
  }
}

/** @param account for whoever does not name another. @param region for requests that name none */
export function callerOf(request: Credentials, account: string, region: string): Caller {
  const scope = scopeOf(request);
  return {
    account: accountOf(scope.accessKey, account),
    region: scope.region ?? regionOfHost(request.host) ?? region,
    senderId: scope.accessKey ?? "anonymous",
  };
}

/** What the keys of sessions begin with that are given out where nobody is asked for one: the account follows. */
export const ACCESS_KEY_OF_ACCOUNT = "ASIA";
const SESSION_KEY = /^ASIA(\d{12})[A-Z2-7]{8}$/;

/**
 * The one place that says whose queues an access key is for: a key that is an account's number names that account, and so
 * does a session's.
 */
function accountOf(accessKey: string | undefined, otherwise: string): string {
  if (accessKey === undefined) return otherwise;
  return ACCOUNT.test(accessKey) ? accessKey : (SESSION_KEY.exec(accessKey)?.[1] ?? otherwise);
}

interface Scope {
  readonly accessKey: string | undefined;
  readonly region: string | undefined;
  readonly end: number; // in Authorization, behind the region; 0: it stands elsewhere, or nowhere
}

const NO_SCOPE: Scope = { accessKey: undefined, region: undefined, end: 0 };

function scopeOf(request: Credentials): Scope {
  let text = request.authorization;
  let keyStart = text.indexOf("Credential=") + "Credential=".length;
  const isHeader = keyStart >= "Credential=".length;
  if (!isHeader) {
    const start = request.query.indexOf("X-Amz-Credential=");
    if (start === -1) return NO_SCOPE;
    text = request.query.slice(start, start + CREDENTIAL_COUNT_MAX).replaceAll(/%2f/gi, "/");
    keyStart = "X-Amz-Credential=".length;
  }
  const keyEnd = text.indexOf("/", keyStart);
  const dateEnd = text.indexOf("/", keyEnd + 1);
  const regionEnd = text.indexOf("/", dateEnd + 1);
  if (keyEnd === -1 || dateEnd === -1 || regionEnd === -1) return NO_SCOPE;
  const accessKey = text.slice(keyStart, keyEnd);
  const region = text.slice(dateEnd + 1, regionEnd);
  return {
    accessKey: ACCESS_KEY.test(accessKey) ? accessKey : undefined,
    region: REGION.test(region) ? region : undefined,
    end: isHeader ? regionEnd + 1 : 0,
  };
}
