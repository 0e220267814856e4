// Who may use the key of a queue with KmsMasterKeyId: identity policies decide, of the account that has the key.
import { describe, expect, test } from "vitest";
import { Authorizer } from "../../src/auth/authorize.ts";
import { readPolicy } from "../../src/auth/policy/document.ts";
import { ANONYMOUS, type Principal, roleSessionOf, rootOf, userOf } from "../../src/auth/principal.ts";
import { contextOf } from "../../src/auth/request-context.ts";
import { Keyring, newMaterial, SQS_ALIAS } from "../../src/keys/keyring.ts";
import { keyRefusal } from "../../src/sqs/key-rights.ts";
import { keyringSealer } from "../../src/vault/keyring-file.ts";
import { AWAY, allow, HOME } from "../support/sts-world.ts";

const MASTER_KEY = Buffer.alloc(32, 9);
const SEALER = keyringSealer(MASTER_KEY);
const ID = "11111111-2222-3333-4444-555555555555";
const AWAY_ID = "99999999-2222-3333-4444-555555555555";
const stored = (id: string, account: string) => ({
  ...{ id, account, aliases: ["alias/orders"], active: true, createdMs: 0 },
  sealedMaterial: [newMaterial(SEALER, id, 1)],
});
const keyring = new Keyring({ version: 1, keys: [stored(ID, HOME), stored(AWAY_ID, AWAY)] }, MASTER_KEY, SEALER);
const QUEUE = { account: HOME, region: "eu-west-1", name: "q" };
const KEY = `arn:aws:kms:eu-west-1:${HOME}:key/${ID}`;
const BOTH = ["kms:GenerateDataKey", "kms:Decrypt"];

const user = (...policies: readonly object[]): Principal =>
  userOf({
    ...{ account: HOME, name: "alice", path: "/", id: "AIDAALICE" },
    policies: policies.map((policy) => readPolicy(policy, "identity")),
  });
const authorizer = new Authorizer();

/** What is refused, of a send and a receive; "-": nothing. */
function refused(principal: Principal, keyId = "alias/orders", account = HOME): [send: string, receive: string] {
  const [send, receive] = ["sqs:SendMessage", "sqs:ReceiveMessage"].map((action) => {
    const text = keyRefusal(
      { authorizer, names: keyring },
      principal,
      { action, queue: { ...QUEUE, account }, keyId },
      (key) =>
        contextOf({
          ...{ principal, nowMs: 0, remoteAddress: "10.0.0.1", isSecure: false, userAgent: "", region: "eu-west-1" },
          ...{ resourceAccount: key.account, queueTags: undefined, requestTags: undefined },
          keyed: { queueArn: `arn:aws:sqs:eu-west-1:${account}:q`, region: "eu-west-1" },
        }),
    );
    return text === undefined ? "-" : (/perform: (\S+)/.exec(text)?.[1] ?? text);
  });
  return [send ?? "", receive ?? ""];
}

describe("a key of the keyring", () => {
  test.each<[string, Principal, [string, string]]>([
    ["the account's root", rootOf(HOME), ["-", "-"]],
    ["one who may do everything to queues, and nothing to keys", user(allow("sqs:*")), [BOTH[0] ?? "", "kms:Decrypt"]],
    ["one who may use it", user(allow(BOTH, { Resource: KEY })), ["-", "-"]],
    [
      "one who may use all keys of the account",
      user(allow("kms:*", { Resource: `arn:aws:kms:*:${HOME}:key/*` })),
      ["-", "-"],
    ],
    [
      "one who may use another",
      user(allow("kms:*", { Resource: `arn:aws:kms:*:${HOME}:key/2*` })),
      [BOTH[0] ?? "", "kms:Decrypt"],
    ],
    ["one who may only open", user(allow("kms:Decrypt")), ["kms:GenerateDataKey", "-"]],
    ["one who may only seal: a send wants both", user(allow("kms:GenerateDataKey")), ["kms:Decrypt", "kms:Decrypt"]],
    ["one whose policy writes it in another case", user(allow("KMS:decrypt")), ["kms:GenerateDataKey", "-"]],
    [
      "one who is denied",
      user(allow("*"), { ...allow("*"), Statement: { Effect: "Deny", Action: "kms:Decrypt", Resource: "*" } }),
      ["kms:Decrypt", "kms:Decrypt"],
    ],
  ])("%s", (_who, principal, expected) => {
    expect(refused(principal)).toEqual(expected);
    expect(refused(principal, ID)).toEqual(expected); // by any of its names
    expect(refused(principal, `arn:aws:kms:us-east-1:${HOME}:alias/orders`)).toEqual(expected);
  });

  test("is asked for through SQS, and for the queue: conditions see both", () => {
    const when = (Condition: object) => refused(user(allow("kms:*", { Condition })));
    expect(when({ StringEquals: { "kms:ViaService": "sqs.eu-west-1.amazonaws.com" } })).toEqual(["-", "-"]);
    expect(when({ StringEquals: { "kms:ViaService": "s3.eu-west-1.amazonaws.com" } })[1]).toBe("kms:Decrypt");
    const ofQueue = (name: string) => ({
      StringEquals: { "kms:EncryptionContext:aws:sqs:arn": `arn:aws:sqs:eu-west-1:${HOME}:${name}` },
    });
    expect(when(ofQueue("q"))).toEqual(["-", "-"]);
    expect(when(ofQueue("other"))).toEqual(["kms:GenerateDataKey", "kms:Decrypt"]);
    expect(when({ "ForAllValues:StringEquals": { "kms:EncryptionContextKeys": "aws:sqs:arn" } })).toEqual(["-", "-"]);
  });

  test("of another account is nobody's here, whatever his policies say, and by whatever name", () => {
    for (const principal of [rootOf(HOME), user(allow("*"))]) {
      expect(refused(principal, `arn:aws:kms:eu-west-1:${AWAY}:key/${AWAY_ID}`)).toEqual([
        "kms:GenerateDataKey",
        "kms:Decrypt",
      ]);
      expect(refused(principal, `arn:aws:kms:eu-west-1:${AWAY}:alias/aws/sqs`)).toEqual([
        "kms:GenerateDataKey",
        "kms:Decrypt",
      ]);
      expect(refused(principal, "alias/orders", AWAY)[1]).toBe("kms:Decrypt"); // the queue's own, and the queue is another's
    }
    expect(refused(ANONYMOUS)[1]).not.toBe("-");
  });

  test("that is not there takes leave all the same: the alias may be made again", () => {
    expect(refused(user(allow("sqs:*")), "alias/none")).toEqual(["kms:GenerateDataKey", "kms:Decrypt"]);
    expect(refused(user(allow("kms:*")), "alias/none")).toEqual(["-", "-"]);
  });
});

test("SQS's own key is for everybody in its account, unless he is denied; a session's policy has to hand it on", () => {
  expect(refused(user(), SQS_ALIAS)).toEqual(["-", "-"]);
  expect(refused(user(), keyring.nameOf(SQS_ALIAS, HOME).resource.slice("key/".length))).toEqual(["-", "-"]);
  const deny = { ...allow("*"), Statement: { Effect: "Deny", Action: "kms:*", Resource: "*" } };
  expect(refused(user(deny), SQS_ALIAS)).toEqual(["kms:GenerateDataKey", "kms:Decrypt"]);
  const session = (...policies: readonly object[]) =>
    roleSessionOf({
      ...{ account: HOME, roleName: "worker", rolePath: "/", roleId: "AROAWORKER", sessionName: "s", issuedMs: 0 },
      ...{ tags: new Map<string, string>(), sourceIdentity: undefined },
      policies: [readPolicy(allow("sqs:*"), "identity")],
      sessionPolicies: policies.length === 0 ? undefined : policies.map((policy) => readPolicy(policy, "session")),
    });
  expect(refused(session(), SQS_ALIAS)).toEqual(["-", "-"]);
  expect(refused(session(allow("sqs:*")), SQS_ALIAS)).toEqual(["kms:GenerateDataKey", "kms:Decrypt"]);
});

test("what was decided for somebody is not decided for who he is with other policies", () => {
  expect(refused(user(allow("kms:*")))).toEqual(["-", "-"]);
  expect(refused(user(allow("sqs:*")))).toEqual(["kms:GenerateDataKey", "kms:Decrypt"]);
  expect(refused(user(allow("kms:*")))).toEqual(["-", "-"]);
});
