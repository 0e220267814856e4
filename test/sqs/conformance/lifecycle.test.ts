// A message's life as far as it shows without waiting: visibility, handles, long polls, dead letters, FIFO.
// Reference 4, 5. What takes time is in test/core, where time is an argument.
import { describe, expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

interface Message {
  readonly Body: string;
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Attributes?: { readonly [name: string]: string };
}

const FIFO = { FifoQueue: "true" };
const NO_HANDLE = /^404 ReceiptHandleIsInvalid \| The input receipt handle ".*" is not a valid receipt handle\.$/;
const EXPIRED =
  /^400 InvalidParameterValue \| Value .* for parameter ReceiptHandle is invalid\. Reason: The receipt handle has expired\.$/;
const GONE =
  /^400 InvalidParameterValue \| Value .* Reason: Message does not exist or is not available for visibility timeout change\.$/;

class Queue {
  readonly sqs: Service;
  readonly name: string;

  constructor(sqs: Service, name: string) {
    this.sqs = sqs;
    this.name = name;
  }

  async send(body: string, more: Json = {}): Promise<Json> {
    return this.sqs.call("SendMessage", { QueueUrl: this.name, MessageBody: body, ...more });
  }

  async receive(more: Json = {}): Promise<readonly Message[]> {
    const input = { QueueUrl: this.name, AttributeNames: ["All"], ...more };
    return ((await this.sqs.call("ReceiveMessage", input))["Messages"] ?? []) as readonly Message[];
  }

  /** The one message that is there. */
  async one(more: Json = {}): Promise<Message> {
    const messages = await this.receive(more);
    expect(messages).toHaveLength(1);
    return messages[0] as Message;
  }

  async bodies(more: Json = {}): Promise<string> {
    return (await this.receive({ MaxNumberOfMessages: 10, ...more })).map(({ Body }) => Body).join(" ");
  }

  async delete(message: Message): Promise<void> {
    await this.sqs.call("DeleteMessage", { QueueUrl: this.name, ReceiptHandle: message.ReceiptHandle });
  }

  async hide(message: Message, VisibilityTimeout: number): Promise<void> {
    const input = { QueueUrl: this.name, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout };
    await this.sqs.call("ChangeMessageVisibility", input);
  }

  /** The refusal of an action on a handle. */
  async refuses(action: "DeleteMessage" | "ChangeMessageVisibility", ReceiptHandle: string): Promise<string> {
    return this.sqs.refusal(action, { QueueUrl: this.name, ReceiptHandle, VisibilityTimeout: 1 });
  }
}

async function create(sqs: Service, name: string, attributes: Json = {}): Promise<Queue> {
  const type = name.endsWith(".fifo") ? { ...FIFO, ContentBasedDeduplication: "true" } : {};
  await sqs.call("CreateQueue", { QueueName: name, Attributes: { ...type, ...attributes } });
  return new Queue(sqs, name);
}

describe("visibility", () => {
  scenario("a received message is hidden, and deleting it ends it", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    const message = await queue.one();
    expect(await queue.receive()).toEqual([]);
    await queue.delete(message);
    await queue.delete(message);
    expect(await queue.receive({ VisibilityTimeout: 0 })).toEqual([]);
  });

  scenario("a timeout of 0 leaves it visible, each receive counted, each with a handle of its own", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    const receives = [];
    for (let i = 0; i < 3; i++) receives.push(await queue.one({ VisibilityTimeout: 0 }));
    expect(receives.map(({ Attributes }) => Attributes?.["ApproximateReceiveCount"])).toEqual(["1", "2", "3"]);
    expect(new Set(receives.map(({ ReceiptHandle }) => ReceiptHandle)).size).toBe(3);
    expect(new Set(receives.map(({ MessageId }) => MessageId)).size).toBe(1);
    expect(new Set(receives.map(({ Attributes }) => Attributes?.["ApproximateFirstReceiveTimestamp"])).size).toBe(1);
    for (const { ReceiptHandle } of receives) expect(ReceiptHandle.length).toBeLessThanOrEqual(1_024);
  });

  scenario("the queue's own timeout holds when the receive names none", async (sqs) => {
    const queue = await create(sqs, "q", { VisibilityTimeout: "0" });
    await queue.send("a");
    await queue.one();
    await queue.one({ VisibilityTimeout: 30 });
    expect(await queue.receive()).toEqual([]);
  });

  scenario("ChangeMessageVisibility: 0 shows the message at once", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    await queue.hide(await queue.one(), 0);
    expect((await queue.one()).Attributes?.["ApproximateReceiveCount"]).toBe("2");
  });

  scenario("a handle whose timeout has passed hides a standard queue's message again", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    const message = await queue.one({ VisibilityTimeout: 0 });
    await queue.hide(message, 30);
    expect(await queue.receive()).toEqual([]);
  });

  scenario("an older handle still changes a standard queue's message", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    const older = await queue.one({ VisibilityTimeout: 0 });
    await queue.one();
    await queue.hide(older, 0);
    expect((await queue.one()).Body).toBe("a");
  });

  scenario("12 hours from the receive and no more", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    const { ReceiptHandle } = await queue.one();
    await new Promise((resolve) => setTimeout(resolve, 20)); // some of the 12 hours
    const change = (VisibilityTimeout: number): Json => ({ QueueUrl: "q", ReceiptHandle, VisibilityTimeout });
    expect(await sqs.refusal("ChangeMessageVisibility", change(43_200))).toBe(
      "400 InvalidParameterValue | Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
    );
    await sqs.call("ChangeMessageVisibility", change(43_195));
  });
});

describe("receipt handles", () => {
  scenario("standard: an expired one deletes", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    await queue.delete(await queue.one({ VisibilityTimeout: 0 }));
    expect(await queue.receive()).toEqual([]);
  });

  scenario("standard: an older one succeeds and deletes nothing", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    const older = await queue.one({ VisibilityTimeout: 0 });
    const newer = await queue.one({ VisibilityTimeout: 0 });
    await queue.delete(older);
    expect((await queue.one({ VisibilityTimeout: 0 })).MessageId).toBe(newer.MessageId);
  });

  scenario("FIFO: an expired one is refused", async (sqs) => {
    const queue = await create(sqs, "q.fifo");
    await queue.send("a", { MessageGroupId: "g" });
    const message = await queue.one({ VisibilityTimeout: 0 });
    expect(await queue.refuses("DeleteMessage", message.ReceiptHandle)).toMatch(EXPIRED);
    const current = await queue.one();
    expect(await queue.refuses("DeleteMessage", message.ReceiptHandle)).toMatch(EXPIRED);
    await queue.delete(current);
    await queue.delete(current);
  });

  for (const name of ["q", "q.fifo"]) {
    scenario(`${name}: of a deleted message, its visibility cannot be changed`, async (sqs) => {
      const queue = await create(sqs, name);
      await queue.send("a", { MessageGroupId: "g" });
      const message = await queue.one();
      await queue.delete(message);
      expect(await queue.refuses("ChangeMessageVisibility", message.ReceiptHandle)).toMatch(GONE);
    });

    scenario(`${name}: of another queue, or of a queue that was there before, is none`, async (sqs) => {
      const queue = await create(sqs, name);
      const other = await create(sqs, `other-${name}`);
      await queue.send("a", { MessageGroupId: "g" });
      const { ReceiptHandle } = await queue.one();
      await sqs.call("DeleteQueue", { QueueUrl: name });
      await create(sqs, name);
      for (const each of [queue, other]) {
        expect(await each.refuses("DeleteMessage", ReceiptHandle)).toMatch(NO_HANDLE);
        expect(await each.refuses("ChangeMessageVisibility", ReceiptHandle)).toMatch(NO_HANDLE);
      }
      const damaged = `${ReceiptHandle.slice(0, -2)}${ReceiptHandle.endsWith("AA") ? "BB" : "AA"}`;
      expect(await queue.refuses("DeleteMessage", damaged)).toMatch(NO_HANDLE);
      expect(await queue.refuses("DeleteMessage", `${ReceiptHandle}x`)).toMatch(NO_HANDLE);
    });
  }
});

describe("long polls", () => {
  const LONG = { WaitTimeSeconds: 20 };

  scenario("return at once when something is there, and do not wait for more", async (sqs) => {
    const queue = await create(sqs, "q");
    await queue.send("a");
    expect(await queue.bodies(LONG)).toBe("a");
  });

  scenario("the queue's own wait holds when the receive names none; 0 is a short poll", async (sqs) => {
    const queue = await create(sqs, "q", { ReceiveMessageWaitTimeSeconds: "20" });
    expect(await queue.receive({ WaitTimeSeconds: 0 })).toEqual([]);
    const waiting = queue.bodies();
    await queue.send("a");
    expect(await waiting).toBe("a");
  });

  scenario("are woken by a send, a change of visibility, and a delay's end", async (sqs) => {
    const queue = await create(sqs, "q");
    let waiting = queue.one(LONG);
    await queue.send("a");
    const message = await waiting;
    waiting = queue.one(LONG);
    await queue.hide(message, 0);
    await queue.delete(await waiting);
    waiting = queue.one(LONG);
    await queue.send("later", { DelaySeconds: 1 });
    expect((await waiting).Body).toBe("later");
  });

  scenario("of a FIFO queue are woken when their group is free", async (sqs) => {
    const queue = await create(sqs, "q.fifo");
    await queue.send("a", { MessageGroupId: "g" });
    const first = await queue.one();
    await queue.send("b", { MessageGroupId: "g" });
    const waiting = queue.one(LONG);
    await queue.delete(first);
    expect((await waiting).Body).toBe("b");
  });

  scenario("empty ones end after their wait with an empty answer", async (sqs) => {
    const queue = await create(sqs, "q");
    const startedMs = performance.now();
    expect(await queue.receive({ WaitTimeSeconds: 1 })).toEqual([]);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(990);
  });
});

describe("delay", () => {
  scenario("a message's own delay wins over the queue's, 0 too", async (sqs) => {
    const queue = await create(sqs, "q", { DelaySeconds: "900" });
    await queue.send("queue's");
    await queue.send("own", { DelaySeconds: 0 });
    expect(await queue.bodies()).toBe("own");
  });

  scenario("on FIFO 0 says nothing: the queue's holds", async (sqs) => {
    const queue = await create(sqs, "q.fifo", { DelaySeconds: "900" });
    await queue.send("a", { MessageGroupId: "g", DelaySeconds: 0 });
    expect(await queue.receive()).toEqual([]);
  });

  scenario("a change of the queue's is for later messages on standard, for all on FIFO", async (sqs) => {
    for (const [name, bodies] of [
      ["q", ""],
      ["q.fifo", "a"],
    ] as const) {
      const queue = await create(sqs, name, { DelaySeconds: "900" });
      await queue.send("a", { MessageGroupId: "g" });
      await sqs.call("SetQueueAttributes", { QueueUrl: name, Attributes: { DelaySeconds: "0" } });
      expect(await queue.bodies()).toBe(bodies);
    }
  });
});

describe("dead letters", () => {
  async function withTarget(sqs: Service, suffix: string, maxReceiveCount: number): Promise<[Queue, Queue]> {
    const dead = await create(sqs, `dead${suffix}`);
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: sqs.arn(`dead${suffix}`), maxReceiveCount });
    return [await create(sqs, `q${suffix}`, { RedrivePolicy }), dead];
  }

  for (const maxReceiveCount of [1, 2]) {
    scenario(`maxReceiveCount ${maxReceiveCount}: delivered as often, and the next receive moves it`, async (sqs) => {
      const [queue, dead] = await withTarget(sqs, "", maxReceiveCount);
      const header = { DataType: "String", StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793" };
      const sent = await queue.send("poison", {
        MessageSystemAttributes: { AWSTraceHeader: header },
        MessageGroupId: "g",
      });
      for (let i = 0; i < maxReceiveCount; i++) await queue.one({ VisibilityTimeout: 0 });
      const before = await dead.receive();
      expect(before).toEqual([]);
      expect(await queue.receive({ VisibilityTimeout: 0 })).toEqual([]);
      const message = await dead.one();
      expect(message).toMatchObject({
        MessageId: sent["MessageId"],
        Body: "poison",
        Attributes: {
          ApproximateReceiveCount: String(maxReceiveCount + 1),
          DeadLetterQueueSourceArn: sqs.arn("q"),
          AWSTraceHeader: header.StringValue,
          MessageGroupId: "g",
        },
      });
    });
  }

  scenario(
    "FIFO: the group stays, the deduplication id is the message's, a new number, and its group goes on",
    async (sqs) => {
      const [queue, dead] = await withTarget(sqs, ".fifo", 1);
      const sent = await queue.send("poison", { MessageGroupId: "g" });
      await queue.send("next", { MessageGroupId: "g" });
      await queue.one({ VisibilityTimeout: 0 });
      expect(await queue.bodies()).toBe("next");
      const { Attributes } = await dead.one();
      expect(Attributes).toMatchObject({
        MessageGroupId: "g",
        MessageDeduplicationId: sent["MessageId"],
        DeadLetterQueueSourceArn: sqs.arn("q.fifo"),
      });
      expect(Attributes?.["SequenceNumber"]).not.toBe(sent["SequenceNumber"]);
    },
  );

  scenario("while the target is missing the source keeps its message and delivers it", async (sqs) => {
    const [queue] = await withTarget(sqs, "", 1);
    await queue.send("a");
    await sqs.call("DeleteQueue", { QueueUrl: "dead" });
    for (let i = 0; i < 3; i++) expect((await queue.one({ VisibilityTimeout: 0 })).Body).toBe("a");
  });
});

describe("FIFO", () => {
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
});
