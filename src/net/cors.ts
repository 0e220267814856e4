// Answers that a page of another origin may read: only of origins that are named, and with what an AWS SDK sends and reads.
import type { HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { Origins } from "./origins.ts";

/** What an SDK in a browser sends besides what browsers let anybody send. */
const SENT = [
  ...["authorization", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"],
  ...["x-amz-user-agent", "x-amzn-query-mode", "x-amzn-trace-id", "amz-sdk-invocation-id", "amz-sdk-request"],
].join(", ");
const READ = "x-amzn-RequestId, x-amzn-query-error";
const MAX_AGE_SECONDS = "600";

/** Answers browsers that ask before they send. */
export function servePreflights(app: TemplatedApp, origins: Origins): void {
  app.options("/*", (res, req) => {
    const origin = req.getHeader("origin");
    if (origin === "" || !origins.allows(origin)) {
      res.writeStatus("403 Forbidden").end("This origin is not allowed\n");
      return;
    }
    const isPrivate = req.getHeader("access-control-request-private-network") === "true";
    res.writeStatus("204 No Content");
    res.writeHeader("Access-Control-Allow-Origin", origin).writeHeader("Vary", "Origin");
    res.writeHeader("Access-Control-Allow-Methods", "POST, GET").writeHeader("Access-Control-Allow-Headers", SENT);
    // A page of the Internet that asks for an address of this network or machine: it was named.
    if (isPrivate) res.writeHeader("Access-Control-Allow-Private-Network", "true");
    res.writeHeader("Access-Control-Max-Age", MAX_AGE_SECONDS).endWithoutBody();
  });
}

/** @param reader the origin, which is allowed */
export function letRead(res: HttpResponse, reader: string): void {
  res.writeHeader("Access-Control-Allow-Origin", reader).writeHeader("Vary", "Origin");
  res.writeHeader("Access-Control-Expose-Headers", READ);
}
