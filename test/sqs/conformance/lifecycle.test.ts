// A message's life as far as it shows without waiting: visibility, handles, long polls, delays, dead letters. Reference 4.
// What takes time is in test/core, where time is an argument.
import { describe, expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";
import { create, type Queue } from "../../support/queue-client.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";

useBroker();

const NO_HANDLE = /^404 ReceiptHandleIsInvalid \| The input receipt handle ".*" is not a valid receipt handle\.$/;
const EXPIRED =
  /^400 InvalidParameterValue \| Value .* for parameter ReceiptHandle is invalid\. Reason: The receipt handle has expired\.$/;
const GONE =
  /^400 InvalidParameterValue \| Value .* Reason: Message does not exist or is not available for visibility timeout change\.$/;

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

  scenario(
    "standard: an older one succeeds and deletes nothing",
    async (sqs) => {
      const queue = await create(sqs, "q");
      await queue.send("a");
      const older = await queue.one({ VisibilityTimeout: 0 });
      const newer = await queue.one({ VisibilityTimeout: 0 });
      await queue.delete(older);
      expect((await queue.one({ VisibilityTimeout: 0 })).MessageId).toBe(newer.MessageId);
    },
    "assembly/settle.ts isCurrent",
  );

  scenario("FIFO: an expired one is refused", async (sqs) => {
    const queue = await create(sqs, "q.fifo");
    await queue.send("a", { MessageGroupId: "g" });
    const message = await queue.one({ VisibilityTimeout: 0 });
    expect(await queue.refuses("DeleteMessage", message.ReceiptHandle)).toMatch(EXPIRED);
  });

  scenario(
    "FIFO: an older one is as expired, and that of a deleted message deletes it again",
    async (sqs) => {
      const queue = await create(sqs, "q.fifo");
      await queue.send("a", { MessageGroupId: "g" });
      const older = await queue.one({ VisibilityTimeout: 0 });
      const current = await queue.one();
      expect(await queue.refuses("DeleteMessage", older.ReceiptHandle)).toMatch(EXPIRED);
      await queue.delete(current);
      await queue.delete(current);
    },
    "assembly/settle.ts isHeld",
  );

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

  scenario(
    "while the target is missing the source keeps its message and delivers it",
    async (sqs) => {
      const [queue, dead] = await withTarget(sqs, "", 1);
      await queue.send("a");
      await sqs.call("DeleteQueue", { QueueUrl: "dead" });
      for (let i = 0; i < 3; i++) expect((await queue.one({ VisibilityTimeout: 0 })).Body).toBe("a");
      await create(sqs, "dead");
      expect(await queue.receive()).toEqual([]);
      expect((await dead.one()).Body).toBe("a");
    },
    "assembly/deliver.ts redrive",
  );

  scenario(
    "the target's own delay is not applied",
    async (sqs) => {
      const [queue, dead] = await withTarget(sqs, "", 1);
      await sqs.call("SetQueueAttributes", { QueueUrl: "dead", Attributes: { DelaySeconds: "900" } });
      await queue.send("a");
      await queue.one({ VisibilityTimeout: 0 });
      await queue.receive();
      expect((await dead.one()).Body).toBe("a");
    },
    "assembly/lifecycle.ts arrive",
  );

  scenario(
    "a chain: each queue has its own rule, and the source named is the last one",
    async (sqs) => {
      const [queue, dead] = await withTarget(sqs, "", 1);
      const last = await create(sqs, "last");
      const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: sqs.arn("last"), maxReceiveCount: 2 });
      await sqs.call("SetQueueAttributes", { QueueUrl: "dead", Attributes: { RedrivePolicy } });
      await queue.send("a");
      await queue.one({ VisibilityTimeout: 0 });
      expect(await queue.receive()).toEqual([]);
      await dead.one({ VisibilityTimeout: 0 }); // its second receive of all, and its last
      expect(await dead.receive()).toEqual([]);
      expect((await last.one()).Attributes).toMatchObject({
        ApproximateReceiveCount: "3",
        DeadLetterQueueSourceArn: sqs.arn("dead"),
      });
    },
    "assembly/lifecycle.ts carry",
  );
});
