// FIFO queues: groups, order, deduplication. Reference 5.
import { expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";
import { create, type Message } from "../../support/queue-client.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

const group = (MessageGroupId: string): Json => ({ MessageGroupId });

scenario("one receive takes a group as far as it goes, then the next", async (sqs) => {
  const queue = await create(sqs, "q.fifo");
  for (const body of ["g1-m1", "g2-m1", "g1-m2", "g1-m3"]) await queue.send(body, group(body.slice(0, 2)));
  expect(await queue.bodies()).toBe("g1-m1 g1-m2 g1-m3 g2-m1");
});

scenario(
  "a group with a message in flight is locked, for later messages too, until all of them are gone",
  async (sqs) => {
    const queue = await create(sqs, "q.fifo");
    for (const body of ["a", "b", "c"]) await queue.send(body, group("g"));
    const [first, second] = (await queue.receive({ MaxNumberOfMessages: 2 })) as [Message, Message];
    await queue.send("d", group("g"));
    expect(await queue.bodies()).toBe("");
    await queue.delete(first);
    expect(await queue.bodies()).toBe("");
    await queue.delete(second);
    expect(await queue.bodies()).toBe("c d");
  },
);

scenario("waiting behind a locked group counts as visible", async (sqs) => {
  const queue = await create(sqs, "q.fifo");
  for (const body of ["a", "b"]) await queue.send(body, group("g"));
  await queue.one();
  const prefix = "ApproximateNumberOfMessages";
  const input = { QueueUrl: "q.fifo", AttributeNames: [prefix, `${prefix}NotVisible`] };
  expect(await sqs.call("GetQueueAttributes", input)).toEqual({
    Attributes: { [prefix]: "1", [`${prefix}NotVisible`]: "1" },
  });
});

scenario("a first message made visible comes alone, the second stays in flight", async (sqs) => {
  const queue = await create(sqs, "q.fifo");
  for (const body of ["a", "b"]) await queue.send(body, group("g"));
  const [first] = (await queue.receive({ MaxNumberOfMessages: 2 })) as [Message];
  await queue.send("c", group("g"));
  await queue.hide(first, 0);
  expect(await queue.bodies()).toBe("a");
});

scenario("a receive with a timeout of 0 puts the group behind the others", async (sqs) => {
  const queue = await create(sqs, "q.fifo");
  for (const name of ["g1", "g2"]) await queue.send(name, group(name));
  const turns = [];
  for (let i = 0; i < 4; i++) turns.push((await queue.one({ VisibilityTimeout: 0 })).Body);
  expect(turns).toEqual(["g1", "g2", "g1", "g2"]);
});

scenario(
  "a duplicate is answered with the first one's id and number, and not stored, even after a delete",
  async (sqs) => {
    const queue = await create(sqs, "q.fifo");
    const first = await queue.send("same", group("g"));
    expect(await queue.send("same", group("other"))).toEqual(first);
    await queue.delete(await queue.one());
    expect(await queue.send("same", group("g"))).toEqual(first);
    const hash = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5";
    const explicit = await queue.send("other", { ...group("g"), MessageDeduplicationId: hash });
    expect(explicit["MessageId"]).toBe(first["MessageId"]);
    expect(explicit["MD5OfMessageBody"]).not.toBe(first["MD5OfMessageBody"]);
    expect(await queue.receive()).toEqual([]);
  },
  "assembly/send.ts dedup.sequence",
);

scenario(
  "a scope that is changed holds for the sends that follow",
  async (sqs) => {
    const queue = await create(sqs, "q.fifo");
    const first = await queue.send("same", group("g1"));
    const set = (DeduplicationScope: string) =>
      sqs.call("SetQueueAttributes", { QueueUrl: "q.fifo", Attributes: { DeduplicationScope } });
    await set("messageGroup");
    const second = await queue.send("same", group("g2"));
    expect(second["MessageId"]).not.toBe(first["MessageId"]);
    await set("queue");
    expect((await queue.send("same", group("g3")))["MessageId"]).toBe(first["MessageId"]);
  },
  "assembly/send.ts SCOPE_GROUP",
);

scenario("the scope messageGroup tells groups apart, without any throughput limit", async (sqs) => {
  const queue = await create(sqs, "q.fifo", { DeduplicationScope: "messageGroup" });
  const first = await queue.send("same", group("g1"));
  expect((await queue.send("same", group("g2")))["MessageId"]).not.toBe(first["MessageId"]);
  expect((await queue.send("same", group("g1")))["MessageId"]).toBe(first["MessageId"]);
  expect(await queue.bodies()).toBe("same same");
});

scenario("a purge forgets what was sent", async (sqs) => {
  const queue = await create(sqs, "q.fifo");
  const first = await queue.send("same", group("g"));
  await sqs.call("PurgeQueue", { QueueUrl: "q.fifo" });
  expect((await queue.send("same", group("g")))["MessageId"]).not.toBe(first["MessageId"]);
  expect(await queue.bodies()).toBe("same");
});

scenario("sequence numbers rise over the whole queue", async (sqs) => {
  const queue = await create(sqs, "q.fifo");
  const numbers: string[] = [];
  for (let i = 0; i < 5; i++) numbers.push(String((await queue.send(`m${i}`, group(`g${i % 2}`)))["SequenceNumber"]));
  expect(numbers).toEqual(numbers.toSorted());
  expect(new Set(numbers).size).toBe(5);
});
