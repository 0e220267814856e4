// What becomes of a session whose caller may no longer do what he does, in virtual time.
import { expect, test } from "vitest";
import type { Caller } from "../../src/stream/caller.ts";
import { CALLER, Rig } from "../support/stream-rig.ts";

const LOOKS = 21; // ticks within which every session is looked at

function standing(identity: string) {
  const asked: string[] = [];
  const denied = new Set<string>();
  const sessions: string[] = [];
  const state = { asked, denied, sessions, lapsed: undefined as string | undefined };
  const caller: Caller = {
    ...CALLER,
    standing: {
      identity,
      session: (action, protocol, text = "") => sessions.push(`${action} ${protocol} ${text}`),
      lapsed: () => state.lapsed,
      refusal: (action, { name }) => {
        asked.push(action);
        return denied.has(`${action} ${name}`) ? `${action} is denied` : undefined;
      },
    },
  };
  return { ...state, caller, state };
}
async function looked(rig: Rig): Promise<void> {
  for (let tick = 0; tick < LOOKS; tick++) rig.hub.tick();
  await rig.settle();
}
const subscribe = {
  subscribe: { subscription: 1, queue: "q", credit: { messages: 10, bytes: 1_000_000, auto: true } },
};
const publish = (first: number) => ({ publish: { publisher: 1, first, messages: [{ text: `m${first}` }] } });

test("credentials that are over end the session within a second, and what was out is back", async () => {
  const rig = await Rig.open();
  const queue = await rig.create("q");
  const { caller, state } = standing("alice");
  const other = standing("bob");
  const client = await rig.connect({}, { caller });
  const bystander = await rig.connect({}, { caller: other.caller });
  await client.ask({ openPublisher: { publisher: 1, queue: "q" } });
  await client.ask(subscribe);
  client.send(publish(1));
  await rig.settle();
  expect(client.bodies()).toBe("1:m1");
  state.lapsed = "The security token included in the request is expired.";
  await looked(rig);
  expect(client.closed).toBe(4407);
  expect(bystander.closed).toBeUndefined();
  expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 1, inFlight: 0 });
  expect(rig.hub.sessionCount).toBe(1);
  expect(state.sessions).toEqual([
    "opened wasq.v1.json ",
    "ended wasq.v1.json The security token included in the request is expired.",
  ]);
  expect(other.state.sessions).toEqual(["opened wasq.v1.json "]);
});

test("messages are no reason to ask: a publisher is looked at when it is opened, and about once a second", async () => {
  const rig = await Rig.open();
  await rig.create("q");
  const { caller, asked } = standing("alice");
  const client = await rig.connect({}, { caller });
  await client.ask({ openPublisher: { publisher: 1, queue: "q" } });
  for (let first = 1; first <= 100; first++) client.send(publish(first));
  await rig.settle();
  expect(asked).toEqual(["SendMessage"]);
});

test("a right that is lost ends what needs it, and gives back what was out; the rest goes on", async () => {
  const rig = await Rig.open();
  const queue = await rig.create("q");
  await rig.create("r");
  const { caller, denied } = standing("alice");
  const client = await rig.connect({}, { caller });
  await client.ask({ openPublisher: { publisher: 1, queue: "q" } });
  await client.ask(subscribe);
  await client.ask({ subscribe: { subscription: 2, queue: "r" } });
  client.send(publish(1));
  await rig.settle();
  denied.add("ReceiveMessage q");
  client.got();
  await looked(rig);
  const ended = { subscription: 1, code: "ACCESS_DENIED", message: "ReceiveMessage is denied" };
  expect(client.got()).toContainEqual(expect.objectContaining({ subscriptionEnded: ended }));
  expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 1, inFlight: 0 });
  expect(await client.ask({ credit: { subscription: 2, messages: 1, bytes: 1 } })).toEqual({});
  denied.add("SendMessage q");
  rig.hub.recheck();
  client.send(publish(2)); // not taken, and no fault of its sender
  await rig.settle();
  const refused = client.got().find((each) => each.refused !== undefined)?.refused;
  expect(refused).toMatchObject({ publisher: 1, from: 2, code: "ACCESS_DENIED" });
  expect(rig.opened.broker.counts(queue)).toMatchObject({ visible: 1 });
});

test("a session's token is for its own principal: he brings newer credentials, another begins anew", async () => {
  const rig = await Rig.open();
  await rig.create("q");
  const before = standing("alice");
  const client = await rig.connect({}, { caller: before.caller });
  await client.ask(subscribe);
  const { sessionToken } = client.welcome;
  const thief = await rig.connect({ sessionToken }, { caller: standing("mallory").caller });
  expect(thief.welcome.resumed ?? false).toBe(false);
  expect(client.closed).toBeUndefined();
  client.cut();
  before.state.lapsed = "over";
  const after = standing("alice");
  after.denied.add("ReceiveMessage q");
  const again = await rig.connect({ sessionToken }, { caller: after.caller });
  expect(again.welcome).toMatchObject({ resumed: true });
  expect(before.state.sessions).toEqual(["opened wasq.v1.json "]);
  expect(after.state.sessions).toEqual(["resumed wasq.v1.json "]);
  expect(again.welcome.subscriptions ?? []).toEqual([]);
  await looked(rig);
  expect(again.closed).toBeUndefined();
});

test("each caller has so many sessions at once, those that wait for him included, and comes back to his own", async () => {
  const rig = await Rig.open({ sessionsPerCallerMax: 2 });
  const alice = { caller: { ...CALLER, limitName: "alice" } };
  const first = await rig.connect({ graceMs: 1_000 }, alice);
  const second = await rig.connect({}, alice);
  const refused = rig.client(alice);
  refused.send({ hello: {} });
  await rig.settle();
  expect(refused.closed).toBe(4421);
  expect(rig.hub.sessionCount).toBe(2);
  expect((await rig.connect({}, { caller: { ...CALLER, limitName: "bob" } })).closed).toBeUndefined();
  second.cut();
  const again = await rig.connect({ sessionToken: second.welcome.sessionToken }, alice);
  expect(again.welcome).toMatchObject({ resumed: true });
  first.cut();
  const early = rig.client(alice);
  early.send({ hello: {} });
  await rig.settle();
  expect(early.closed).toBe(4421);
  await rig.pass(1_001); // nobody has come back for it
  expect((await rig.connect({}, alice)).welcome).toMatchObject({ serverName: "wasq" });
});
