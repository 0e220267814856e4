// Whose queues, and where: account and region of a request, and the URLs that name a queue. Reference 1.1, 2.3.
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, expect, test } from "vitest";
import { newAccount, scenario, useBroker } from "../../support/conformance.ts";
import { PROTOCOLS, Service } from "../../support/service.ts";
import { MISSING_QUEUE } from "../../support/wordings.ts";

const { process } = useBroker();
const ANYBODY = "000000000000";

/** A GET without credentials; fetch would not let the Host header be chosen. */
async function getAs(host: string, url: string): Promise<string> {
  const [response] = (await once(request(url, { headers: { host } }).end(), "response")) as [IncomingMessage];
  return (await response.setEncoding("utf8").toArray()).join("");
}

describe("accounts", () => {
  scenario("an access key of 12 digits is the account: its queues are nobody else's", async (sqs) => {
    const other = newAccount(sqs.protocol);
    await sqs.call("CreateQueue", { QueueName: "mine" });
    expect(await other.refusal("GetQueueUrl", { QueueName: "mine" })).toBe(MISSING_QUEUE);
    expect(await other.call("ListQueues", {})).toEqual({});
    expect(await other.refusal("SendMessage", { QueueUrl: "mine", MessageBody: "a" })).toBe(MISSING_QUEUE);
    expect(await sqs.call("GetQueueUrl", { QueueName: "mine" })).toEqual({ QueueUrl: sqs.url("mine") });
    const attributes = await sqs.call("GetQueueAttributes", { QueueUrl: "mine", AttributeNames: ["QueueArn"] });
    expect(attributes).toEqual({ Attributes: { QueueArn: `arn:aws:sqs:us-east-1:${sqs.account}:mine` } });
  });

  scenario("the same name is free in every account", async (sqs) => {
    const other = newAccount(sqs.protocol);
    await sqs.call("CreateQueue", { QueueName: "same", Attributes: { DelaySeconds: "1" } });
    await other.call("CreateQueue", { QueueName: "same", Attributes: { DelaySeconds: "2" } });
    expect(await sqs.call("GetQueueAttributes", { QueueUrl: "same", AttributeNames: ["DelaySeconds"] })).toEqual({
      Attributes: { DelaySeconds: "1" },
    });
  });

  scenario("QueueOwnerAWSAccountId asks for another account's queue", async (sqs) => {
    const other = newAccount(sqs.protocol);
    await other.call("CreateQueue", { QueueName: "theirs" });
    const ask = { QueueName: "theirs", QueueOwnerAWSAccountId: other.account };
    expect(await sqs.call("GetQueueUrl", ask)).toEqual({ QueueUrl: other.url("theirs") });
    expect(await sqs.refusal("GetQueueUrl", { QueueName: "theirs" })).toBe(MISSING_QUEUE);
    expect(await sqs.refusal("GetQueueUrl", { ...ask, QueueOwnerAWSAccountId: "999999999999" })).toBe(MISSING_QUEUE);
  });

  test.each(["AKIDEXAMPLE", "x", "12345678901", "1234567890123", "test"])(
    "any other access key, such as %s, is the default account's",
    async (key) => {
      for (const protocol of PROTOCOLS) {
        const sqs = new Service(process().endpoint, protocol, key);
        const { QueueUrl } = await sqs.call("CreateQueue", { QueueName: "shared" });
        expect(QueueUrl).toBe(`${process().endpoint}/${ANYBODY}/shared`);
      }
    },
  );

  test("without credentials it is the default account and the default region", async () => {
    const sqs = new Service(process().endpoint, "Query", ANYBODY);
    await sqs.call("CreateQueue", { QueueName: "open" });
    const reply = await sqs.raw({
      method: "GET",
      path: "/?Action=GetQueueUrl&QueueName=open",
      headers: { authorization: "" },
    });
    expect(reply.text).toContain(`<QueueUrl>${sqs.url("open")}</QueueUrl>`);
  });

  test("the Host header names the region where nothing else does, and the origin of URLs", async () => {
    const sqs = new Service(process().endpoint, "Query", ANYBODY, "eu-west-1");
    await sqs.call("CreateQueue", { QueueName: "hosted" });
    for (const host of ["sqs.eu-west-1.localhost.localstack.cloud:4566", "eu-west-1.queue.localhost"]) {
      const text = await getAs(host, `${process().endpoint}/?Action=GetQueueUrl&QueueName=hosted`);
      expect(text).toContain(`<QueueUrl>http://${host}/${ANYBODY}/hosted</QueueUrl>`);
    }
    expect(await getAs("localhost", `${process().endpoint}/?Action=GetQueueUrl&QueueName=hosted`)).toContain(
      "NonExistentQueue",
    );
  });

  test("credentials in the query string are credentials", async () => {
    const sqs = newAccount("Query", "ap-south-1");
    await sqs.call("CreateQueue", { QueueName: "signed" });
    const scope = encodeURIComponent(`${sqs.account}/20261123/ap-south-1/sqs/aws4_request`);
    const path = `/?Action=GetQueueUrl&QueueName=signed&X-Amz-Credential=${scope}&X-Amz-Signature=0`;
    const reply = await sqs.raw({ method: "GET", path, headers: { authorization: "" } });
    expect(reply.text).toContain(`<QueueUrl>${sqs.url("signed")}</QueueUrl>`);
  });
});

describe("regions", () => {
  scenario("a queue belongs to the region of the credential scope", async (sqs) => {
    const far = sqs.in("eu-west-1");
    await far.call("CreateQueue", { QueueName: "far" });
    expect(await sqs.refusal("GetQueueUrl", { QueueName: "far" })).toBe(MISSING_QUEUE);
    expect(await sqs.refusal("PurgeQueue", { QueueUrl: sqs.url("far") })).toBe(MISSING_QUEUE);
    expect(await sqs.call("ListQueues", {})).toEqual({});
    const attributes = await far.call("GetQueueAttributes", { QueueUrl: "far", AttributeNames: ["QueueArn"] });
    expect(attributes).toEqual({ Attributes: { QueueArn: far.arn("far") } });
  });

  scenario("queues of one name in two regions are unrelated", async (sqs) => {
    const far = sqs.in("eu-west-1");
    for (const each of [sqs, far]) await each.call("CreateQueue", { QueueName: "twin" });
    await sqs.call("SendMessage", { QueueUrl: "twin", MessageBody: "here" });
    expect(await far.call("ReceiveMessage", { QueueUrl: "twin" })).toEqual({});
  });

  test.each([
    ["cn-north-1", "aws-cn"],
    ["us-gov-west-1", "aws-us-gov"],
    ["eu-central-1", "aws"],
  ])("in %s the partition is %s, and dead letters find their queue", async (region, partition) => {
    const sqs = newAccount("JSON", region);
    const target = `arn:${partition}:sqs:${region}:${sqs.account}:dead`;
    await sqs.call("CreateQueue", { QueueName: "dead" });
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: target, maxReceiveCount: 1 });
    await sqs.call("CreateQueue", { QueueName: "source", Attributes: { RedrivePolicy } });
    await sqs.call("SendMessage", { QueueUrl: "source", MessageBody: "poison" });
    for (let i = 0; i < 2; i++) await sqs.call("ReceiveMessage", { QueueUrl: "source", VisibilityTimeout: 0 });
    const names = ["DeadLetterQueueSourceArn"];
    const dead = await sqs.call("ReceiveMessage", { QueueUrl: "dead", MessageSystemAttributeNames: names });
    expect(dead["Messages"]).toEqual([
      expect.objectContaining({
        Body: "poison",
        Attributes: { DeadLetterQueueSourceArn: `arn:${partition}:sqs:${region}:${sqs.account}:source` },
      }),
    ]);
  });

  scenario("a dead-letter target in another account or region does not exist", async (sqs) => {
    const others = [newAccount(sqs.protocol), sqs.in("eu-west-1")];
    for (const other of others) {
      await other.call("CreateQueue", { QueueName: "dead" });
      const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: other.arn("dead"), maxReceiveCount: 1 });
      expect(await sqs.refusal("CreateQueue", { QueueName: "source", Attributes: { RedrivePolicy } })).toContain(
        "Reason: Dead letter target does not exist.",
      );
    }
  });
});

describe("queue URLs", () => {
  const forms: readonly (readonly [form: string, of: (sqs: Service) => string])[] = [
    ["as given out", (sqs) => sqs.url("q")],
    ["with a slash at the end", (sqs) => `${sqs.url("q")}/`],
    ["a bare name", () => "q"],
    ["a bare path", (sqs) => `/${sqs.account}/q`],
    ["of the service", (sqs) => `https://sqs.us-east-1.amazonaws.com/${sqs.account}/q`],
    ["of a FIPS endpoint", (sqs) => `https://sqs-fips.us-east-1.amazonaws.com/${sqs.account}/q`],
    ["of a dual-stack endpoint", (sqs) => `https://sqs.us-east-1.api.aws/${sqs.account}/q`],
    ["of China", (sqs) => `https://sqs.cn-north-1.amazonaws.com.cn/${sqs.account}/q`],
    ["legacy", (sqs) => `https://queue.amazonaws.com/${sqs.account}/q`],
    ["legacy with a region", (sqs) => `https://us-east-1.queue.amazonaws.com/${sqs.account}/q`],
    ["any host without a port", (sqs) => `http://sqs/${sqs.account}/q`],
    ["any host and port", (sqs) => `http://broker.internal:1234/${sqs.account}/q`],
    ["an IPv6 host", (sqs) => `http://[::1]:9324/${sqs.account}/q`],
    ["ElasticMQ's old form", () => "http://localhost:9324/queue/q"],
    ["LocalStack's standard form", (sqs) => `http://sqs.us-east-1.localhost.localstack.cloud:4566/${sqs.account}/q`],
    ["LocalStack's domain form", (sqs) => `http://us-east-1.queue.localhost.localstack.cloud:4566/${sqs.account}/q`],
    ["LocalStack's path form", (sqs) => `http://localhost:4566/queue/us-east-1/${sqs.account}/q`],
  ];
  for (const [form, of] of forms) {
    scenario(form, async (sqs) => {
      await sqs.call("CreateQueue", { QueueName: "q" });
      await sqs.call("SendMessage", { QueueUrl: of(sqs), MessageBody: "a" });
    });
  }

  scenario("a host or path that names a region names the queue of that region", async (sqs) => {
    const far = sqs.in("eu-west-1");
    for (const each of [sqs, far]) await each.call("CreateQueue", { QueueName: "q" });
    for (const url of [
      `https://sqs.eu-west-1.amazonaws.com/${sqs.account}/q`,
      `http://sqs.eu-west-1.localhost.localstack.cloud:4566/${sqs.account}/q`,
      `http://eu-west-1.queue.localhost.localstack.cloud:4566/${sqs.account}/q`,
      `http://localhost:4566/queue/eu-west-1/${sqs.account}/q`,
    ]) {
      const attributes = await sqs.call("GetQueueAttributes", { QueueUrl: url, AttributeNames: ["QueueArn"] });
      expect(attributes).toEqual({ Attributes: { QueueArn: far.arn("q") } });
      await sqs.call("SendMessage", { QueueUrl: url, MessageBody: "far" });
      const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: url });
      const [{ ReceiptHandle }] = Messages as [{ ReceiptHandle: string }];
      await far.call("DeleteMessage", { QueueUrl: "q", ReceiptHandle });
    }
    expect(await sqs.call("ReceiveMessage", { QueueUrl: "q", VisibilityTimeout: 0 })).toEqual({});
  });

  scenario("another account's URL names that account's queue", async (sqs) => {
    const other = newAccount(sqs.protocol);
    await other.call("CreateQueue", { QueueName: "theirs" });
    await sqs.call("SendMessage", { QueueUrl: other.url("theirs"), MessageBody: "for you" });
    const { Messages } = await other.call("ReceiveMessage", { QueueUrl: "theirs" });
    expect(Messages).toEqual([expect.objectContaining({ Body: "for you" })]);
  });

  scenario("names and URLs are case-sensitive, and what names no queue does not exist", async (sqs) => {
    await sqs.call("CreateQueue", { QueueName: "q" });
    for (const url of [
      "Q",
      sqs.url("Q"),
      "http://whatever-incorrect-queue-address",
      "a/b/c",
      "//",
      "",
      `http://localhost/queue/${sqs.account}/extra/q/x`,
    ]) {
      expect(await sqs.refusal("SendMessage", { QueueUrl: url, MessageBody: "a" })).toBe(MISSING_QUEUE);
    }
  });
});
