// Spring Cloud AWS, its template and its listener containers, against the running process.
// Needs a JDK from 17 on, Maven, and its packages the first time.
import { expect, test } from "vitest";
import { beside, execute, orSkip } from "../support/clients.ts";
import { fileBroker } from "../support/file-broker.ts";
import { javaProgram } from "../support/java.ts";

const broker = fileBroker({ keys: true });
const project = beside(import.meta.url, "spring/pom.xml");
const source = beside(import.meta.url, "spring/SpringQueues.java");

test("Spring Cloud AWS sends, listens, retries and reads dead letters", { timeout: 300_000 }, async (context) => {
  const classPath = await orSkip(context, javaProgram("spring", project, source, "Spring Cloud AWS"));
  const args = ["-cp", classPath, "SpringQueues", broker.endpoint];
  const output = await execute("java", args, { env: broker.keyVariables, timeoutMs: 120_000 });
  const nothing = "0 0 0"; // visible, in flight, delayed
  expect(output.trim().split("\n")).toEqual([
    `template | hello | blue | true | 10 | 10 | ${nothing}`,
    // All came, 200 different ones, 20 of them twice because they failed.
    `standard | true | 200 | 20 | ${nothing}`,
    `fifo | true | [g0, g1, g2, g3] | true | ${nothing}`,
    // Delivered twice, as the policy says.
    `dead letter | true | 2 | [arn:aws:sqs:us-east-2:000000000000:failing] | ${nothing} | ${nothing}`,
  ]);
});
