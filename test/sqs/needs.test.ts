// What each action asks permission for, and that none runs without having asked.
import { describe, expect, test } from "vitest";
import { SqsError } from "../../src/sqs/errors.ts";
import type { Gate } from "../../src/sqs/gate.ts";
import { arnOf as arnOfName } from "../../src/sqs/names.ts";
import { OPERATIONS } from "../../src/sqs/operations.ts";
import { ACCOUNT, arnOf, jsonRequest, SqsClient, urlOf } from "../support/sqs-client.ts";

/** Notes what is asked; says no while it is told to. */
class NotingGate implements Gate {
  asked: string[] = [];
  says: "yes" | "no" = "yes";

  admit() {
    return { account: ACCOUNT, region: "us-east-1", senderId: "x" };
  }
  again(caller: ReturnType<NotingGate["admit"]>) {
    return caller;
  }
  permit(...[, , action, { name }]: Parameters<Gate["permit"]>): void {
    this.asked.push(`${action} ${name === undefined ? "*" : arnOfName(name)}`);
    if (this.says === "no") throw new SqsError("AccessDeniedException", "No.");
  }
}

function client(options: { autoCreateQueues?: boolean } = {}) {
  const gate = new NotingGate();
  const sqs = new SqsClient({ gate, ...options });
  const ask = (action: string, input: object): number => sqs.request(jsonRequest(action, input)).status;
  const redrive = JSON.stringify({ deadLetterTargetArn: arnOf("dead"), maxReceiveCount: 1 });
  ask("CreateQueue", { QueueName: "dead" });
  ask("CreateQueue", { QueueName: "q", Attributes: { RedrivePolicy: redrive } });
  ask("CreateQueue", { QueueName: "q2", Attributes: { RedrivePolicy: redrive } });
  gate.asked = [];
  return { gate, sqs, ask };
}

const QueueUrl = urlOf("q");
const HANDLE = Buffer.from(JSON.stringify({ taskId: "t", sourceArn: arnOf("dead") })).toString("base64");
const Q = arnOf("q");
const DEAD = arnOf("dead");
const MOVE = ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];

const NEEDS: readonly (readonly [action: string, input: object, needs: readonly string[]])[] = [
  ["AddPermission", { QueueUrl, Label: "l", AWSAccountIds: ["111111111111"], Actions: ["*"] }, [`AddPermission ${Q}`]],
  ["CancelMessageMoveTask", { TaskHandle: HANDLE }, [`CancelMessageMoveTask ${DEAD}`]],
  ["ChangeMessageVisibility", { QueueUrl, ReceiptHandle: "h", VisibilityTimeout: 1 }, [`ChangeMessageVisibility ${Q}`]],
  [
    "ChangeMessageVisibilityBatch",
    { QueueUrl, Entries: [{ Id: "a", ReceiptHandle: "h", VisibilityTimeout: 1 }] },
    [`ChangeMessageVisibility ${Q}`],
  ],
  ["CreateQueue", { QueueName: "new" }, [`CreateQueue ${arnOf("new")}`]],
  ["DeleteMessage", { QueueUrl, ReceiptHandle: "h" }, [`DeleteMessage ${Q}`]],
  ["DeleteMessageBatch", { QueueUrl, Entries: [{ Id: "a", ReceiptHandle: "h" }] }, [`DeleteMessage ${Q}`]],
  ["DeleteQueue", { QueueUrl }, [`DeleteQueue ${Q}`]],
  ["GetQueueAttributes", { QueueUrl }, [`GetQueueAttributes ${Q}`]],
  ["GetQueueUrl", { QueueName: "q" }, [`GetQueueUrl ${Q}`]],
  ["ListDeadLetterSourceQueues", { QueueUrl }, [`ListDeadLetterSourceQueues ${Q}`]],
  ["ListMessageMoveTasks", { SourceArn: DEAD }, [`ListMessageMoveTasks ${DEAD}`]],
  ["ListQueueTags", { QueueUrl }, [`ListQueueTags ${Q}`]],
  ["ListQueues", {}, ["ListQueues *"]],
  ["PurgeQueue", { QueueUrl }, [`PurgeQueue ${Q}`]],
  ["ReceiveMessage", { QueueUrl }, [`ReceiveMessage ${Q}`]],
  ["RemovePermission", { QueueUrl, Label: "l" }, [`RemovePermission ${Q}`]],
  ["SendMessage", { QueueUrl, MessageBody: "b" }, [`SendMessage ${Q}`]],
  ["SendMessageBatch", { QueueUrl, Entries: [{ Id: "a", MessageBody: "b" }] }, [`SendMessage ${Q}`]],
  ["SetQueueAttributes", { QueueUrl, Attributes: { VisibilityTimeout: "1" } }, [`SetQueueAttributes ${Q}`]],
  [
    "StartMessageMoveTask",
    { SourceArn: DEAD },
    [...MOVE.map((name) => `${name} ${DEAD}`), `SendMessage ${Q}`, `SendMessage ${arnOf("q2")}`],
  ],
  ["TagQueue", { QueueUrl, Tags: { a: "b" } }, [`TagQueue ${Q}`]],
  ["UntagQueue", { QueueUrl, TagKeys: ["a"] }, [`UntagQueue ${Q}`]],
];

describe("each action asks for", () => {
  test("one permission or more, and the table has all actions", () => {
    expect(NEEDS.map(([action]) => action)).toEqual(OPERATIONS.map(({ name }) => name));
  });

  test.each(NEEDS)("%s", (action, input, needs) => {
    const { gate, ask } = client();
    ask(action, input);
    expect(gate.asked).toEqual(needs.map((each) => `sqs:${each}`));
  });

  test.each(NEEDS)("%s, and is refused without it, before anything has happened", (action, input) => {
    const { gate, sqs, ask } = client();
    const before = JSON.stringify(sqs.broker.list(ACCOUNT, "us-east-1", "", "", 10));
    gate.says = "no";
    expect(ask(action, input)).toBe(403);
    expect(JSON.stringify(sqs.broker.list(ACCOUNT, "us-east-1", "", "", 10))).toBe(before);
  });

  test("StartMessageMoveTask with a destination: to send there, and nowhere else", () => {
    const { gate, ask } = client();
    ask("StartMessageMoveTask", { SourceArn: DEAD, DestinationArn: arnOf("elsewhere") });
    expect(gate.asked.filter((each) => each.includes("Send"))).toEqual([`sqs:SendMessage ${arnOf("elsewhere")}`]);
  });

  test("GetQueueUrl of another account: that account's queue", () => {
    const { gate, ask } = client();
    ask("GetQueueUrl", { QueueName: "q", QueueOwnerAWSAccountId: "999999999999" });
    expect(gate.asked).toEqual(["sqs:GetQueueUrl arn:aws:sqs:us-east-1:999999999999:q"]);
  });

  test.each([
    ["another account", "http://localhost/999999999999/q", "arn:aws:sqs:us-east-1:999999999999:q"],
    ["another region", `http://localhost/queue/eu-west-1/${ACCOUNT}/q`, `arn:aws:sqs:eu-west-1:${ACCOUNT}:q`],
    ["a bare name", "q", Q],
    ["a bare path", `/${ACCOUNT}/q`, Q],
    ["a slash at the end", `${QueueUrl}/`, Q],
    ["a name that is not decoded", `/${ACCOUNT}/%71`, `arn:aws:sqs:us-east-1:${ACCOUNT}:%71`],
    ["an account that is none", "/999999999999/../q", "arn:aws:sqs:us-east-1:..:q"],
  ])("the queue that a URL means: %s", (_what, url, arn) => {
    const { gate, ask } = client();
    ask("PurgeQueue", { QueueUrl: url });
    expect(gate.asked).toEqual([`sqs:PurgeQueue ${arn}`]);
  });
});

describe("what names no queue lets no action run unpermitted", () => {
  const NAMES = ["QueueUrl", "QueueName", "SourceArn", "TaskHandle"];
  const BAD: readonly unknown[] = [
    undefined,
    "",
    "/",
    "//",
    "http://",
    "arn:aws:sqs",
    "arn:aws:sqs:::",
    "%",
    "a/b/",
    "e30=",
  ];
  test.each(NEEDS.filter(([action]) => action !== "ListQueues"))("%s", (action, input) => {
    for (const bad of BAD) {
      const { gate, ask } = client();
      gate.says = "no";
      const name = NAMES.find((each) => each in input) ?? "";
      const status = ask(action, { ...input, [name]: bad });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
  });
});

describe("a queue that is to be created for a request", () => {
  test("takes the permission to create it, as well as the action's", () => {
    const { gate, sqs, ask } = client({ autoCreateQueues: true });
    const send = () => ask("SendMessage", { QueueUrl: urlOf("new"), MessageBody: "b" });
    gate.says = "no";
    expect(send()).toBe(403);
    expect(sqs.broker.find({ account: ACCOUNT, region: "us-east-1", name: "new" })).toBeUndefined();
    gate.says = "yes";
    gate.asked = [];
    expect(send()).toBe(200);
    // The action's again, once it is there: somebody else may have made it meanwhile, with a policy.
    const name = arnOf("new");
    expect(gate.asked).toEqual([`sqs:SendMessage ${name}`, `sqs:CreateQueue ${name}`, `sqs:SendMessage ${name}`]);
  });
});
