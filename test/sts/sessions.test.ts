// Temporary credentials after they have been given out: restarts, revocation, and everybody who only has something like them.
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { issueToken, readToken } from "../../src/auth/session-token.ts";
import type { Caller } from "../../src/sqs/caller.ts";
import { AWAY, allow, HOME, type Key, keyOf, StsWorld, trust } from "../support/sts-world.ts";

const ALICE = `arn:aws:iam::${HOME}:user/alice`;
const SECOND = 1_000;
const INVALID = "UnrecognizedClientException: The security token included in the request is invalid.";

let world: StsWorld;
let alice: Key;
let role: string;
beforeEach(() => {
  world = new StsWorld();
  alice = world.user("alice", HOME, allow("sqs:*"));
  role = world.role("worker", HOME, trust(ALICE), allow("sqs:*"));
  return () => expect(world.faults).toEqual([]);
});

describe("GetSessionToken", () => {
  test("gives a user what he has already, for a while", () => {
    const key = keyOf(world.call(alice, "GetSessionToken", { DurationSeconds: "900" }));
    expect(world.may(key)).toBe("");
    expect(world.call(key, "GetCallerIdentity").result).toEqual({
      Arn: ALICE,
      UserId: "AIDAALICE00000000000",
      Account: HOME,
    });
    world.clock.advance(900 * SECOND);
    expect(world.may(key)).toContain("ExpiredTokenException");
  });

  test.each([
    ["alice", undefined, 43_200],
    ["alice", "129600", 129_600],
    ["root", undefined, 3_600],
    ["root", "129600", 3_600],
    ["root", "900", 900],
  ])("of %s for %s seconds lasts %d", (name, DurationSeconds, seconds) => {
    const key = name === "root" ? world.user("root", HOME) : alice;
    const { result } = world.call(key, "GetSessionToken", DurationSeconds === undefined ? {} : { DurationSeconds });
    expect(Date.parse(result.Credentials.Expiration)).toBe(world.clock.nowMs() + seconds * SECOND);
  });

  test.each([
    ["899", "Member must have value greater than or equal to 900"],
    ["129601", "Member must have value less than or equal to 129600"],
  ])("of %s seconds is refused", (DurationSeconds, message) => {
    const answer = world.call(alice, "GetSessionToken", { DurationSeconds });
    expect(answer).toMatchObject({ status: 400, code: "ValidationError" });
    expect(answer.message).toContain(message);
  });

  test("is not for temporary credentials, which may become a role", () => {
    const key = keyOf(world.call(alice, "GetSessionToken"));
    for (const each of [key, world.became(alice, role)]) {
      expect(world.call(each, "GetSessionToken")).toMatchObject({
        status: 403,
        code: "AccessDenied",
        message: "Cannot call GetSessionToken with session credentials",
      });
    }
    expect(world.may(world.became(key, role))).toBe("");
  });
});

describe("GetCallerIdentity", () => {
  test("needs no permission, not even one that is denied", () => {
    const nobody = world.user("nobody", AWAY, allow("*", { Effect: "Deny" }));
    expect(world.call(nobody, "GetCallerIdentity").result).toMatchObject({ Account: AWAY });
    const root = world.user("root", AWAY);
    expect(world.call(root, "GetCallerIdentity").result).toEqual({
      Arn: `arn:aws:iam::${AWAY}:root`,
      UserId: AWAY,
      Account: AWAY,
    });
  });
});

describe("a session is over", () => {
  const given = () => ({ own: keyOf(world.call(alice, "GetSessionToken")), worker: world.became(alice, role) });

  test("not by a restart", () => {
    const { own, worker } = given();
    world.restart();
    expect([world.may(own), world.may(worker)]).toEqual(["", ""]);
  });

  test("when the key that it came from is disabled, and goes on when that is enabled", () => {
    const { own, worker } = given();
    const active = (yes: boolean) =>
      world.changeUser("alice", (user) => ({ ...user, keys: user.keys.map((key) => ({ ...key, active: yes })) }));
    active(false);
    expect([world.may(own), world.may(worker)]).toEqual([INVALID, INVALID]);
    active(true);
    expect([world.may(own), world.may(worker)]).toEqual(["", ""]);
  });

  test("when the key, or its user, is deleted, whatever roles were between", () => {
    const second = world.role("second", HOME, trust(role), allow("sqs:*"));
    const { own, worker } = given();
    const further = world.became(worker, second);
    world.changeUser("alice", () => undefined);
    expect([own, worker, further].map((key) => world.may(key))).toEqual([INVALID, INVALID, INVALID]);
  });

  test("when its role is deleted, also if another of that name is made; the user's own goes on", () => {
    const { own, worker } = given();
    world.changeRole("worker", () => undefined);
    expect([world.may(own), world.may(worker)]).toEqual(["", INVALID]);
    world.role("worker", HOME, trust(ALICE), allow("sqs:*"), { id: "AROAANOTHER000000000" });
    expect(world.may(worker)).toBe(INVALID);
    expect(world.may(world.became(alice, role))).toBe("");
  });

  test("when it was issued before the instant from which the role's, or the user's, count", () => {
    const { own, worker } = given();
    world.clock.advance(5 * SECOND);
    const nowMs = world.clock.nowMs();
    world.changeRole("worker", (each) => ({ ...each, sessionsValidFromMs: nowMs }));
    expect([world.may(own), world.may(worker)]).toEqual(["", INVALID]);
    expect(world.may(world.became(alice, role))).toBe("");
    world.changeUser("alice", (each) => ({ ...each, sessionsValidFromMs: nowMs + 1 }));
    expect(world.may(own)).toBe(INVALID);
    expect(world.may(alice)).toBe("");
    world.clock.advance(1);
    const later = given();
    expect([world.may(later.own), world.may(later.worker)]).toEqual(["", ""]);
  });

  test("for whoever has come in with it as well, if he is looked at again", () => {
    const { own, worker } = given();
    const [asAlice, asOwn, asWorker] = [alice, own, worker].map((key) => world.admitted(key)) as [
      Caller,
      Caller,
      Caller,
    ];
    const stillIn = () => [asAlice, asOwn, asWorker].map((caller) => world.isStillIn(caller));
    expect(stillIn()).toEqual([true, true, true]);
    world.clock.advance(3_600 * SECOND);
    expect(stillIn()).toEqual([true, true, false]);
    world.changeUser("alice", (each) => ({ ...each, sessionsValidFromMs: world.clock.nowMs() }));
    expect(stillIn()).toEqual([true, false, false]);
    world.changeUser("alice", () => undefined);
    expect(stillIn()).toEqual([false, false, false]);
  });

  test("and what its role may changes with the role", () => {
    const { worker } = given();
    world.changeRole("worker", (each) => ({ ...each, policies: { p: allow("sqs:ReceiveMessage") } }));
    expect(world.may(worker)).not.toBe("");
    expect(world.may(worker, "sqs:ReceiveMessage")).toBe("");
  });
});

describe("nobody gets in", () => {
  test("without a signature, with an unknown key, a wrong secret, another service's scope", () => {
    expect(world.call(undefined, "GetCallerIdentity")).toMatchObject({
      status: 403,
      code: "MissingAuthenticationToken",
      message: "Request is missing Authentication Token",
    });
    expect(world.call({ id: "AKIANOBODY0000000000", secret: "x" }, "GetCallerIdentity")).toMatchObject({
      status: 403,
      code: "InvalidClientTokenId",
      message: "The security token included in the request is invalid.",
    });
    expect(world.call({ ...alice, secret: "x" }, "GetCallerIdentity")).toMatchObject({ code: "SignatureDoesNotMatch" });
    expect(world.call(alice, "GetCallerIdentity", {}, "sqs")).toMatchObject({
      status: 403,
      code: "SignatureDoesNotMatch",
      message: "Credential should be scoped to correct service: 'sts'.",
    });
  });

  test("with a token and another's key, or a session's key and no token", () => {
    const one = world.became(alice, role);
    const two = world.became(alice, role);
    const { token = "" } = one;
    expect(world.may({ ...two, token })).toBe(INVALID);
    expect(world.may({ ...alice, token })).toBe(INVALID);
    expect(world.may({ id: one.id, secret: one.secret })).toBe(INVALID);
    expect(world.may({ ...one, secret: two.secret })).toContain("InvalidSignatureException");
  });

  test("with a token that was changed in any bit, cut, padded, or made up", () => {
    const key = world.became(alice, role);
    const { token = "" } = key;
    const bytes = Buffer.from(token, "base64");
    const mutated = fc.oneof(
      fc.nat(bytes.byteLength * 8 - 1).map((bit) => {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        return changed.toString("base64");
      }),
      fc.nat(token.length - 1).map((length) => token.slice(0, length)),
      fc.string({ minLength: 1, maxLength: 8, unit: "binary-ascii" }).map((more) => token + more),
      fc.string({ minLength: 1, maxLength: 8, unit: "binary-ascii" }).map((more) => more + token),
      fc.base64String({ maxLength: 400 }),
      fc.string({ maxLength: 400 }),
      fc.constantFrom("A".repeat(1 << 20), "AQ==", "%00", "=", "\u0000", `${token}\n`, token.replace(/=*$/, "")),
    );
    fc.assert(
      fc.property(mutated, (changed) => {
        fc.pre(changed.trim() !== token && changed.trim() !== "");
        expect(world.may({ ...key, token: changed })).toMatch(/^(UnrecognizedClient|InvalidSignature)Exception: /);
      }),
      { numRuns: 2_000 },
    );
    expect(world.may(key)).toBe("");
  });

  test("with another broker's token, though all names in it are the same", () => {
    const other = new StsWorld(new Uint8Array(32).fill(8));
    other.user("alice", HOME, allow("sqs:*"));
    other.role("worker", HOME, trust(ALICE), allow("sqs:*"));
    const key = other.became(alice, role);
    expect(other.may(key)).toBe("");
    expect(world.may(key)).toBe(INVALID);
  });

  test("tokens say what was sealed into them, and do not tell it", () => {
    const { token = "", secret } = world.became(alice, role, { Policy: JSON.stringify(allow("sqs:SendMessage")) });
    expect(readToken(world.sessions, token)).toMatchObject({
      secret,
      role: { arn: role, id: "AROAWORKER0000000000", sessionName: "s1" },
    });
    expect(Buffer.from(token, "base64").toString("latin1")).not.toContain("worker");
    const session = readToken(world.sessions, token);
    if (session === undefined) throw new Error("it was read a moment ago");
    expect(issueToken(world.sessions, session)).not.toBe(token); // a nonce of its own each time
  });
});

describe("requests", () => {
  test.each([
    ["AssumeRoleWithSAML", "InvalidAction", "Could not find operation AssumeRoleWithSAML for version 2011-06-15"],
    ["SendMessage", "InvalidAction", "Could not find operation SendMessage for version 2011-06-15"],
    ["", "InvalidAction", "Could not find operation  for version 2011-06-15"],
  ])("for %s are %s", (action, code, message) => {
    expect(world.call(alice, action)).toMatchObject({ status: 400, code, message });
  });

  test.each([
    ["Version=2011-06-15", "MissingAction"],
    ["Action=GetCallerIdentity&Action=GetSessionToken", "MalformedQueryString"],
    ["Action=GetCallerIdentity&%41ction=GetSessionToken", "MalformedQueryString"],
    ["Action=%ff", "MalformedQueryString"],
    ["Action=%", "MalformedQueryString"],
    [Array.from({ length: 400 }, (_, i) => `a${i}=`).join("&"), "MalformedQueryString"],
    [`Action=GetCallerIdentity&x=${"x".repeat(200_000)}`, "MalformedQueryString"],
    ["Action=GetSessionToken&DurationSeconds=1e3", "MalformedQueryString"],
  ])("of %.40s are %s", (body, code) => {
    expect(world.send(world.signed(alice, Buffer.from(body), "sts"))).toMatchObject({ status: 400, code });
  });

  test("of random parameters get an answer, and never a fault", () => {
    const name = fc.constantFrom(
      "Action",
      "RoleArn",
      "Policy",
      "Tags.member.1.Key",
      "Tags.member.0.Key",
      "DurationSeconds",
      "RoleSessionName",
      "TransitiveTagKeys.member.1",
    );
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("AssumeRole", role, "s1", "3600", "{}"));
    fc.assert(
      fc.property(fc.dictionary(name, value), (parameters) => {
        const { status } = world.call(alice, "AssumeRole", { RoleArn: role, RoleSessionName: "s1", ...parameters });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 500 },
    );
  });
});
