// The queue policy as AddPermission and RemovePermission edit it. Nobody evaluates it in this room.

import { parseJsonMap } from "./redrive.ts";

type Statement = { readonly [key: string]: unknown };

interface QueuePolicy {
  readonly statements: readonly Statement[];
  /** @returns the document with other statements, everything else as it was */
  readonly render: (statements: readonly Statement[]) => string;
}

/** @param text the stored policy, which was checked when it was set; undefined starts a new one */
export function parseQueuePolicy(text: string | undefined, queueArn: string): QueuePolicy {
  const document =
    (text === undefined ? undefined : parseJsonMap(text)) ??
    new Map<string, unknown>([
      ["Version", "2008-10-17"],
      ["Id", `${queueArn}/SQSDefaultPolicy`],
    ]);
  const statement = document.get("Statement") ?? [];
  return {
    statements: Array.isArray(statement) ? statement : [statement],
    render: (statements) => JSON.stringify(Object.fromEntries([...document, ["Statement", statements]])),
  };
}

export function statementOf(
  label: string,
  accounts: readonly string[],
  actions: readonly string[],
  queueArn: string,
): Statement {
  const partition = queueArn.split(":")[1];
  return {
    Sid: label,
    Effect: "Allow",
    Principal: { AWS: oneOrMany(accounts.map((account) => `arn:${partition}:iam::${account}:root`)) },
    Action: oneOrMany(actions.map((action) => `SQS:${action}`)),
    Resource: queueArn,
  };
}

function oneOrMany(values: readonly string[]): string | undefined | readonly string[] {
  return values.length === 1 ? values[0] : values;
}
