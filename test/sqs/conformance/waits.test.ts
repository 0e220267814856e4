// What the service refuses for 60 seconds only because it is distributed, with the setting that asks for it.
// Reference 2.1, 2.2, 2.14. That a wait ends is shown in requests.test.ts, where time is an argument.
import { expect } from "vitest";
import { scenario, useBroker } from "../../support/conformance.ts";

useBroker(["--aws-waits"]);

const RECENTLY =
  "400 AWS.SimpleQueueService.QueueDeletedRecently | You must wait 60 seconds after deleting a queue before you can create another with the same name.";

scenario("a deleted queue's name cannot be used again", async (sqs) => {
  await sqs.call("CreateQueue", { QueueName: "q" });
  await sqs.call("DeleteQueue", { QueueUrl: "q" });
  expect(await sqs.refusal("CreateQueue", { QueueName: "q" })).toBe(RECENTLY);
  expect(await sqs.in("eu-west-1").call("CreateQueue", { QueueName: "q" })).toEqual({ QueueUrl: sqs.url("q") });
  await sqs.call("CreateQueue", { QueueName: "other" });
});

scenario("a second purge is refused, and names the queue", async (sqs) => {
  await sqs.call("CreateQueue", { QueueName: "q" });
  await sqs.call("CreateQueue", { QueueName: "other" });
  await sqs.call("PurgeQueue", { QueueUrl: "q" });
  expect(await sqs.refusal("PurgeQueue", { QueueUrl: "q" })).toBe(
    "403 AWS.SimpleQueueService.PurgeQueueInProgress | Only one PurgeQueue operation on q is allowed every 60 seconds.",
  );
  await sqs.call("PurgeQueue", { QueueUrl: "other" });
});
