// `wasq master-key change`: another master key for a data directory that no broker uses.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { withEditLock } from "../vault/edit-lock.ts";
import { changeMasterKey } from "../vault/master-key-change.ts";
import { UsageError } from "./command.ts";
import { KeysError } from "./identities.ts";

export const MASTER_KEY_USAGE = `
  wasq master-key change   make another master key, and seal everything under it: the log's key, users' keys, the keyring;
                           the broker must not run; what was interrupted goes on when it is called again
  --to-file PATH           where the new key is, or is to be made; otherwise it takes the old one's place
  --data-dir PATH, --master-key-file PATH                             as above
`;

export interface MasterKeyCommand {
  readonly dataDirectory: string;
  readonly masterKeyFile: string | undefined;
  readonly toPath: string | undefined;
}

/** undefined: the words are for other commands. @throws UsageError */
export function readMasterKeyCommand(
  args: readonly string[],
  otherwise: { dataDirectory: string },
): MasterKeyCommand | undefined {
  if (args[0] !== "master-key" || args.includes("--help")) return undefined;
  const { values, positionals } = parsed(args.slice(1));
  if (positionals.length !== 1 || positionals[0] !== "change") {
    throw new UsageError(`What of the master key? change:\n${MASTER_KEY_USAGE}`);
  }
  return {
    dataDirectory: values["data-dir"] ?? otherwise.dataDirectory,
    masterKeyFile: values["master-key-file"],
    toPath: values["to-file"],
  };
}

function parsed(args: readonly string[]): { values: { [flag: string]: string | undefined }; positionals: string[] } {
  const options = {
    "data-dir": { type: "string" },
    "master-key-file": { type: "string" },
    "to-file": { type: "string" },
  } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param lock takes the data directory for this process, as a broker does
 * @returns what to print
 * @throws KeysError, MasterKeyError, KeyringError, IdentitiesError, LogError
 */
export async function runMasterKey(
  { dataDirectory, masterKeyFile, toPath }: MasterKeyCommand,
  given: NodeJS.ProcessEnv,
  nowMs: number,
  lock: () => Promise<{ release(): Promise<void> }>,
): Promise<string> {
  if (!existsSync(dataDirectory)) throw new KeysError(`Cannot change the master key: there is no ${dataDirectory}`);
  const env = masterKeyFile === undefined ? given : { ...given, WASQ_MASTER_KEY_FILE: masterKeyFile };
  const taken = await lock();
  try {
    const { fileNames, keyPath, oldKeyPath } = withEditLock(dataDirectory, () =>
      changeMasterKey({ dataDirectory, env, toPath, nowMs }),
    );
    const before =
      oldKeyPath === undefined
        ? "The broker needs it from now on: --master-key-file, or WASQ_MASTER_KEY. Keep the old one for copies of the data"
        : `The one before is in ${oldKeyPath}: keep it apart, for copies of the data`;
    return `${fileNames.join(", ")} are sealed under the key in ${keyPath}\n${before} that were made before, or destroy it\n`;
  } finally {
    await taken.release();
  }
}
