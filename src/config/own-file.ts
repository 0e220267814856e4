// Our own configuration file, JSON or YAML: the settings by their names, queues, users and roles.
import { dirname, resolve } from "node:path";
import { readDeadLetters } from "./dead-letters.ts";
import { type IdentityWishes, NO_IDENTITIES, readRoles, readUsers } from "./identity-wishes.ts";
import type { QueueWish } from "./queue-wishes.ts";
import { type FileSettings, type Given, PATH_SETTINGS, SETTING_NAMES, SETTINGS, type SettingName } from "./settings.ts";
import { asBranch, asText, type Mistakes, readMembers, type Tree, toPlain } from "./tree.ts";

/** Attributes that are JSON: they may be written as such, or as a text. */
const JSON_ATTRIBUTES: ReadonlySet<string> = new Set(["Policy", "RedrivePolicy", "RedriveAllowPolicy"]);

/** @param path of the file: paths that are not absolute are looked for beside it */
export function readOwnFile(tree: Tree, mistakes: Mistakes, path: string): FileSettings {
  const settings = new Map<SettingName, Given>();
  const queues: QueueWish[] = [];
  let identities: IdentityWishes = NO_IDENTITIES;
  const setting = (name: SettingName) => (value: Tree, inner: string) => {
    const text = asText(value, inner, mistakes);
    if (text === undefined) return;
    const place = `${mistakes.placeOf(value.line)}: ${name}`;
    const wrong = SETTINGS[name].wrong(text);
    if (wrong !== undefined) mistakes.add(value.line, `${name} is "${text}": ${wrong}`);
    else if (PATH_SETTINGS.has(name) && !isStandardOutput(name, text))
      settings.set(name, { text: resolve(dirname(path), text), place });
    else settings.set(name, { text, place });
  };
  readMembers(
    tree,
    "",
    {
      ...Object.fromEntries(SETTING_NAMES.map((name) => [name, setting(name)])),
      queues: (value, inner) => {
        for (const [name, queue] of asBranch(value, inner, mistakes)?.entries ?? []) {
          queues.push(readQueue(name, queue, `${inner}.${name}`, mistakes));
        }
      },
      users: (value, inner) => {
        identities = { ...identities, users: readUsers(value, inner, mistakes) };
      },
      roles: (value, inner) => {
        identities = { ...identities, roles: readRoles(value, inner, mistakes) };
      },
    },
    mistakes,
  );
  return { settings, queues, identities, notes: [] };
}

function readQueue(name: string, tree: Tree, path: string, mistakes: Mistakes): QueueWish {
  let account: string | undefined;
  let region: string | undefined;
  let deadLetters: QueueWish["deadLetters"];
  const attributes = new Map<string, string>();
  const attributePlaces = new Map<string, string>();
  const tags = new Map<string, string>();
  const checked = (setting: "account" | "region", value: Tree, inner: string): string | undefined => {
    const text = asText(value, inner, mistakes);
    const wrong = text === undefined ? undefined : SETTINGS[setting].wrong(text);
    if (wrong !== undefined) mistakes.add(value.line, `${inner} is "${text}": ${wrong}`);
    return wrong === undefined ? text : undefined;
  };
  readMembers(
    tree,
    path,
    {
      account: (value, inner) => {
        account = checked("account", value, inner);
      },
      region: (value, inner) => {
        region = checked("region", value, inner);
      },
      attributes: (value, inner) => {
        for (const [attribute, one] of asBranch(value, inner, mistakes)?.entries ?? []) {
          const isJson = JSON_ATTRIBUTES.has(attribute) && one.kind === "map";
          const text = isJson ? JSON.stringify(toPlain(one)) : asText(one, `${inner}.${attribute}`, mistakes);
          if (text === undefined) continue;
          attributes.set(attribute, text);
          attributePlaces.set(attribute, mistakes.placeOf(one.line));
        }
      },
      deadLetters: (value, inner) => {
        deadLetters = readDeadLetters(value, inner, "queue", mistakes);
        attributePlaces.set("RedrivePolicy", mistakes.placeOf(value.line));
      },
      tags: (value, inner) => {
        for (const [tag, one] of asBranch(value, inner, mistakes)?.entries ?? []) {
          const text = one.kind === "scalar" && one.value === "" ? "" : asText(one, `${inner}.${tag}`, mistakes);
          if (text !== undefined) tags.set(tag, text);
        }
      },
    },
    mistakes,
  );
  if (deadLetters !== undefined && attributes.has("RedrivePolicy")) {
    mistakes.add(tree.line, `${path} has deadLetters and a RedrivePolicy: one of them is enough`);
  }
  return { name, account, region, attributes, tags, deadLetters, place: mistakes.placeOf(tree.line), attributePlaces };
}

/** The one path that is none. */
function isStandardOutput(name: SettingName, text: string): boolean {
  return name === "auditLog" && text === "-";
}
