// What `wasq keys` is told: words and flags into one command.
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { KEYS_USAGE, type KeysCommand } from "./keys.ts";

const VERBS = ["create", "list", "disable", "enable", "rotate", "delete"] as const;

/** undefined: the words are for other commands. @throws UsageError */
export function readKeysCommand(
  args: readonly string[],
  otherwise: { dataDirectory: string },
): KeysCommand | undefined {
  if (args[0] !== "keys" || args.includes("--help")) return undefined;
  let parsed: { values: { account?: string; policy?: string; "data-dir"?: string }; positionals: string[] };
  try {
    parsed = parseArgs({
      args: args.slice(1),
      options: { account: { type: "string" }, policy: { type: "string" }, "data-dir": { type: "string" } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  const [verb = "", subject = "", ...more] = positionals;
  const known = VERBS.find((each) => each === verb);
  if (known === undefined) throw new UsageError(`What of the keys? One of ${VERBS.join(", ")}:\n${KEYS_USAGE}`);
  if ((known === "list") === (subject !== "") || more.length > 0) {
    throw new UsageError(known === "list" ? "wasq keys list takes no more words" : `wasq keys ${known}: of which one?`);
  }
  if (known !== "create" && (values.account !== undefined || values.policy !== undefined)) {
    throw new UsageError(`wasq keys ${known} takes neither --account nor --policy: they are for create`);
  }
  return {
    verb: known,
    subject,
    account: values.account ?? "000000000000",
    policyPath: values.policy,
    dataDirectory: values["data-dir"] ?? otherwise.dataDirectory,
  };
}
