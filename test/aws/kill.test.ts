// The process is killed again and again while clients send, receive and delete. What was acknowledged must hold.
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import { BrokerProcess, temporaryDirectory } from "../support/process.ts";

const CYCLE_COUNT = 20;
const GROUPS = ["g0", "g1"];

class Ledger {
  readonly sent = new Set<string>(); // acknowledged sends
  readonly asked = new Set<string>(); // deletes asked for, acknowledged or not
  readonly deleted = new Set<string>(); // acknowledged deletes
  readonly faults: string[] = [];
  nextNumber = 1;

  /** A group's message comes first, or again; never one whose forerunner is still there. */
  received(body: string, group: string | undefined): void {
    if (this.deleted.has(body)) this.faults.push(`${body} was deleted and came back`);
    if (group === undefined) return;
    const number = Number(body.split("-")[1]);
    for (const earlier of this.sent) {
      const [owner, text] = earlier.split("-");
      if (owner === group && Number(text) < number && !this.asked.has(earlier))
        this.faults.push(`${body} came before ${earlier}`);
    }
  }
}

async function send(client: SQSClient, url: string, group: string | undefined, ledger: Ledger): Promise<void> {
  for (;;) {
    const body = `${group ?? "s"}-${ledger.nextNumber++}`;
    const fifo = group === undefined ? {} : { MessageGroupId: group, MessageDeduplicationId: body };
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, ...fifo }));
    ledger.sent.add(body);
  }
}

/** @returns whether anything was received */
async function consume(client: SQSClient, url: string, fifo: boolean, ledger: Ledger): Promise<boolean> {
  const answer = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: 1,
      VisibilityTimeout: 1,
      WaitTimeSeconds: 2,
      MessageSystemAttributeNames: ["MessageGroupId"],
    }),
  );
  for (const message of answer.Messages ?? []) {
    const body = message.Body as string;
    ledger.received(body, fifo ? message.Attributes?.MessageGroupId : undefined);
    ledger.asked.add(body);
    await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }));
    ledger.deleted.add(body);
  }
  return (answer.Messages ?? []).length > 0;
}

async function forever(work: () => Promise<unknown>): Promise<void> {
  for (;;) await work();
}

test("nothing acknowledged is lost, nothing deleted comes back, no group runs out of order", async () => {
  const directory = temporaryDirectory();
  const ledger = new Ledger();
  let broker = await BrokerProcess.start(directory.path);
  try {
    for (let cycle = 0; cycle < CYCLE_COUNT; cycle++) {
      const client = broker.client();
      const standard = await client.send(new CreateQueueCommand({ QueueName: "kill" }));
      const fifo = await client.send(
        new CreateQueueCommand({ QueueName: "kill.fifo", Attributes: { FifoQueue: "true" } }),
      );
      const [url, fifoUrl] = [standard.QueueUrl as string, fifo.QueueUrl as string];
      const work = Promise.allSettled([
        send(client, url, undefined, ledger),
        ...GROUPS.map((group) => send(client, fifoUrl, group, ledger)),
        forever(() => consume(client, url, false, ledger)),
        forever(() => consume(client, fifoUrl, true, ledger)),
      ]);
      // Real time: the kill must fall anywhere in a turn.
      await new Promise((resolve) => setTimeout(resolve, 100 + ((cycle * 37) % 150)));
      await broker.end("SIGKILL");
      await work;
      client.destroy();
      broker = await BrokerProcess.start(directory.path);
    }
    const client = broker.client();
    for (const [name, fifo] of [
      ["kill", false],
      ["kill.fifo", true],
    ] as const) {
      const { QueueUrl } = await client.send(
        new CreateQueueCommand({ QueueName: name, Attributes: fifo ? { FifoQueue: "true" } : {} }),
      );
      while (await consume(client, QueueUrl as string, fifo, ledger));
    }
    client.destroy();
    const lost = [...ledger.sent].filter((body) => !ledger.asked.has(body));
    expect(lost, "acknowledged and lost").toEqual([]);
    expect(ledger.faults).toEqual([]);
    expect(ledger.sent.size).toBeGreaterThan(CYCLE_COUNT * 10);
    expect(ledger.deleted.size).toBeGreaterThan(CYCLE_COUNT * 10);
  } finally {
    await broker.end("SIGKILL");
    directory.remove();
  }
}, 120_000);
