// Whether the broker does its work, for those who watch it: "ok" for people and probes, LocalStack's JSON for its tools.
import { randomUUID } from "node:crypto";
import type { Handle } from "../sqs/exchange.ts";
import type { Route } from "./http.ts";

export interface HealthOptions {
  readonly version: string;
  /** @returns why sends would be refused now, undefined when they would not */
  readonly trouble: () => string | undefined;
}

/** GET /health, and LocalStack's path for it: 200 while sends are taken, 503 with the reason while they are not. */
export function healthRoutes(options: HealthOptions): readonly Route[] {
  return [
    { path: "/health", handle: health(options, false), isHarmless: true },
    { path: "/_localstack/health", handle: health(options, true), isHarmless: true },
  ];
}

function health({ version, trouble }: HealthOptions, alwaysJson: boolean): Handle {
  return (request, answer) => {
    const reason = trouble();
    const json = alwaysJson || request.accept.includes("application/json");
    const services = { sqs: reason === undefined ? "running" : "error" };
    answer({
      status: reason === undefined ? 200 : 503,
      contentType: json ? "application/json" : "text/plain; charset=utf-8",
      requestId: randomUUID(),
      queryError: undefined,
      body: json ? JSON.stringify({ services, version, reason }) : `${reason ?? "ok"}\n`,
    });
    return undefined;
  };
}
