// The queue policy: what a document must be to be stored, and how AddPermission and RemovePermission edit it. src/auth
// evaluates it, so what that cannot read is not stored.

import { PolicyError, parsePolicy } from "../auth/policy/document.ts";
import { SqsError } from "./errors.ts";
import { parseJsonMap } from "./redrive.ts";

type Statement = { readonly [key: string]: unknown };

const BYTES_MAX = 8_192;
const STATEMENT_COUNT_MAX = 20;
const PRINCIPAL_COUNT_MAX = 50; // of the whole document, like conditions
const CONDITION_COUNT_MAX = 10;
const ACTION_COUNT_MAX = 7; // of one statement

/**
 * @returns the document as it is kept and read back: without white space, like the service's; undefined for what is none
 * @throws SqsError OverLimit for a document that is too large
 */
export function normalPolicy(text: string): string | undefined {
  const document = parseJsonMap(text);
  const normal = document === undefined ? text : JSON.stringify(Object.fromEntries(document));
  const bytes = Buffer.byteLength(normal);
  if (bytes > BYTES_MAX) {
    throw overLimit(`${bytes} bytes were found in the submitted policy, max allowed is ${BYTES_MAX}`);
  }
  return document !== undefined && isPolicy(document) && isReadable(normal) ? normal : undefined;
}

function isPolicy(document: ReadonlyMap<string, unknown>): boolean {
  const version = document.get("Version");
  if (version !== undefined && version !== "2012-10-17" && version !== "2008-10-17") return false;
  const statements = valuesOf(document.get("Statement"));
  if (statements.length === 0 || !statements.every(isObject)) return false;
  checkCount(statements.length, "statements", STATEMENT_COUNT_MAX);
  let principals = 0;
  let conditions = 0;
  for (const statement of statements) {
    if (!isStatement(statement)) return false;
    principals += principalCount(statement["Principal"] ?? statement["NotPrincipal"]);
    conditions += conditionCount(statement["Condition"]);
    checkActionCount(valuesOf(statement["Action"] ?? statement["NotAction"]).length);
  }
  checkCount(principals, "principals", PRINCIPAL_COUNT_MAX);
  checkCount(conditions, "conditions", CONDITION_COUNT_MAX);
  return true;
}

function isReadable(text: string): boolean {
  try {
    parsePolicy(text, "resource");
    return true;
  } catch (error) {
    if (error instanceof PolicyError) return false;
    throw error;
  }
}

/** @throws SqsError */
export function checkActionCount(count: number): void {
  if (count > ACTION_COUNT_MAX) throw overLimit(`${count} Actions were found, maximum allowed is ${ACTION_COUNT_MAX}.`);
}

function checkCount(count: number, what: string, countMax: number): void {
  if (count > countMax)
    throw overLimit(`${count} ${what} were found in the submitted policy, max allowed is ${countMax}`);
}

function overLimit(text: string): SqsError {
  return new SqsError("OverLimit", text);
}

function isStatement(statement: Statement): boolean {
  const { Effect, Principal, NotPrincipal, Action, NotAction, Condition } = statement;
  return (
    (Effect === "Allow" || Effect === "Deny") &&
    (Principal === undefined) !== (NotPrincipal === undefined) &&
    (Action === undefined) !== (NotAction === undefined) &&
    isPrincipal(Principal ?? NotPrincipal) &&
    areTexts(Action ?? NotAction) &&
    (Condition === undefined || (isObject(Condition) && Object.values(Condition).every(isObject)))
  );
}

function isPrincipal(value: unknown): boolean {
  return value === "*" || (isObject(value) && Object.values(value).every(areTexts));
}

function areTexts(value: unknown): boolean {
  const values = valuesOf(value);
  return values.length > 0 && values.every((one) => typeof one === "string");
}

function principalCount(principal: unknown): number {
  if (!isObject(principal)) return 1;
  return Object.values(principal).reduce((count: number, each) => count + valuesOf(each).length, 0);
}

/** Each operator's keys are conditions of their own. */
function conditionCount(condition: unknown): number {
  if (!isObject(condition)) return 0;
  return Object.values(condition).reduce((count: number, keys) => count + Object.keys(keys ?? {}).length, 0);
}

/** One value may stand without its list. */
function valuesOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function isObject(value: unknown): value is Statement {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

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
  return {
    statements: valuesOf(document.get("Statement")).filter(isObject),
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
