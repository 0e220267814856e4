// JMS over SQS, by AWS's own library, against the running process. Needs a JDK from 17 on, Maven, and its packages the
// first time.
import { expect, test } from "vitest";
import { beside, execute, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { javaProgram } from "../support/java.ts";

const broker = fileBroker({ keys: true });
const project = beside(import.meta.url, "jms/pom.xml");
const source = beside(import.meta.url, "jms/JmsQueues.java");

test("JMS sends, receives, acknowledges and listens", { timeout: 300_000 }, async (context) => {
  const classPath = await orSkip(context, javaProgram("jms", project, source, "amazon-sqs-java-messaging-lib"));
  const output = await execute("java", ["-cp", classPath, "JmsQueues", broker.endpoint], {
    env: broker.keyVariables,
    timeoutMs: 120_000,
  });
  const nothing = "0 0 0"; // visible, in flight, delayed
  expect(output.trim().split("\n")).toEqual([
    // The text and its id, a property of each type, the count of deliveries, three bytes, an object.
    `kinds | true | true | 7 | 1099511627776 | 0.5 | true | a b | correlation | 1 | 3 | [1, 2] | ${nothing}`,
    // Three of five at once, one of the other two, and the last is visible again.
    "acknowledgements | true | 1 0 0",
    `fifo | a1aa2aa3ab1bb2b | ${nothing}`,
    `listener | true | ${nothing}`,
  ]);
});
