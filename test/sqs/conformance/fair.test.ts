// MessageGroupId on a standard queue, on the wire. Reference 11, 4.7.
import { expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";

useBroker();

scenario(
  "a group with thirty in flight waits while another has a message; its ID is told, also by the dead letters",
  async (sqs) => {
    const { QueueUrl } = await sqs.call("CreateQueue", { QueueName: "dead" });
    const redrive = JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:${sqs.account}:dead`,
      maxReceiveCount: 1,
    });
    await sqs.call("CreateQueue", { QueueName: "fair", Attributes: { RedrivePolicy: redrive } });
    const send = (groupId: string, MessageBody: string) =>
      sqs.call("SendMessage", { QueueUrl: "fair", MessageBody, MessageGroupId: groupId });
    const receive = async (queue: unknown, count: number, VisibilityTimeout: number) => {
      const ask = {
        QueueUrl: queue,
        MaxNumberOfMessages: count,
        AttributeNames: ["MessageGroupId"],
        VisibilityTimeout,
      };
      const { Messages: messages } = await sqs.call("ReceiveMessage", ask);
      const received = (messages ?? []) as { Body: string; Attributes: { MessageGroupId?: string } }[];
      return received.map(({ Body, Attributes }) => `${Attributes.MessageGroupId}/${Body}`);
    };
    for (let i = 0; i < 32; i++) await send("A", "a");
    for (let i = 0; i < 3; i++) expect(await receive("fair", 10, 60)).toEqual(Array.from({ length: 10 }, () => "A/a"));
    await send("B", "b");
    expect(await receive("fair", 1, 0)).toEqual(["B/b"]);
    expect(await receive("fair", 10, 60)).toEqual(["A/a", "A/a"]); // and B's message goes to the dead letters
    expect(await receive(QueueUrl, 10, 60)).toEqual(["B/b"]);
  },
);
