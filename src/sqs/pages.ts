// Pages of queue URLs. A token says where the next page starts and which request it belongs to; it holds no secret.

import { LIST_COUNT_MAX } from "../limits.ts";
import { invalidParameter } from "./errors.ts";

const TOKEN_LENGTH_MAX = 4_096; // a prefix, or an ARN, and a name have some 400

export interface Page {
  readonly after: string; // last name of the page before, "" for the first page
  readonly countMax: number;
  readonly limited: boolean; // MaxResults was given: only then there is a next page
}

/** @param scope what must be the same from page to page. @throws SqsError */
export function pageOf(maxResults: number | undefined, nextToken: string | undefined, scope: string): Page {
  if (maxResults !== undefined && (maxResults < 1 || maxResults > LIST_COUNT_MAX)) {
    throw invalidParameter(
      `Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and ${LIST_COUNT_MAX}.`,
    );
  }
  if (nextToken === undefined || nextToken === "") {
    return { after: "", countMax: maxResults ?? LIST_COUNT_MAX, limited: maxResults !== undefined };
  }
  if (maxResults === undefined) {
    throw invalidParameter("MaxResults is a mandatory parameter when you provide a value for NextToken.");
  }
  const token = readToken(nextToken);
  if (token === undefined) throw invalidParameter("Invalid or expired next token.");
  if (token.scope !== scope || token.maxResults !== maxResults) {
    throw invalidParameter(
      "Invalid NextToken value. If you are passing in NextToken, you must not change the other request parameters.",
    );
  }
  return { after: token.after, countMax: maxResults, limited: true };
}

/** Cuts one page out of `names`, which may have one more than fits. */
export function pageOutput<T>(
  page: Page,
  found: readonly T[],
  nameOf: (one: T) => string,
  scope: string,
): { readonly shown: readonly T[]; readonly nextToken: string | undefined } {
  const shown = found.slice(0, page.countMax);
  const last = shown.at(-1);
  const more = page.limited && found.length > page.countMax && last !== undefined;
  return { shown, nextToken: more ? writeToken(scope, page.countMax, nameOf(last)) : undefined };
}

function writeToken(scope: string, maxResults: number, after: string): string {
  return Buffer.from(JSON.stringify([scope, maxResults, after])).toString("base64");
}

function readToken(
  text: string,
): { readonly scope: string; readonly maxResults: number; readonly after: string } | undefined {
  if (text.length > TOKEN_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    if (!Array.isArray(value) || value.length !== 3) return undefined;
    const [scope, maxResults, after]: unknown[] = value;
    if (typeof scope !== "string" || typeof maxResults !== "number" || typeof after !== "string") return undefined;
    return { scope, maxResults, after };
  } catch {
    return undefined;
  }
}
