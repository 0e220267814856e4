// kill -9 with a million queued: how long until the next process answers, and has every message.
import { join } from "node:path";
import { BODY, call, headers, median, startBroker, table, temporaryDirectory, whole } from "./support.ts";

const MESSAGE_COUNT = 1_000_000;
const ROUND_COUNT = 5;
const CONNECTION_COUNT = 32;

export async function restart(): Promise<void> {
  const directory = temporaryDirectory();
  const data = join(directory.path, "data");
  let broker = await startBroker(data);
  try {
    const port = Number(new URL(broker.endpoint).port);
    await call(broker.endpoint, "CreateQueue", { QueueName: "b" });
    const queueUrl = `${broker.endpoint}/000000000000/b`;
    await fill(broker.endpoint, queueUrl);
    const answeredMs: number[] = [];
    for (let round = 0; round < ROUND_COUNT; round++) {
      await broker.stop("SIGKILL");
      const startMs = performance.now();
      const starting = startBroker(data, [], port);
      while (!(await isHealthy(broker.endpoint))) await new Promise((resolve) => setTimeout(resolve, 2));
      answeredMs.push(performance.now() - startMs);
      broker = await starting;
      const { text } = await call(broker.endpoint, "GetQueueAttributes", {
        QueueUrl: queueUrl,
        AttributeNames: ["ApproximateNumberOfMessages"],
      });
      const counted = Number(JSON.parse(text).Attributes.ApproximateNumberOfMessages);
      if (counted !== MESSAGE_COUNT) throw new Error(`${counted} messages are back, not ${MESSAGE_COUNT}`);
    }
    const figures = [median(answeredMs), Math.max(...answeredMs)].map((ms) => `${Math.round(ms)}`);
    table(
      "Restart after SIGKILL: from spawn to GET /health, every message counted",
      ["queued", "median ms", "worst ms"],
      [[whole(MESSAGE_COUNT), ...figures]],
    );
  } finally {
    await broker.stop("SIGKILL");
    directory.remove();
  }
}

async function fill(endpoint: string, QueueUrl: string): Promise<void> {
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: String(i), MessageBody: BODY }));
  const body = JSON.stringify({ QueueUrl, Entries });
  let leftCount = MESSAGE_COUNT;
  const sender = async (): Promise<void> => {
    while (leftCount > 0) {
      leftCount -= Entries.length;
      const response = await fetch(endpoint, { method: "POST", headers: headers("SendMessageBatch"), body });
      const { Successful = [] }: { Successful?: object[] } = JSON.parse(await response.text());
      leftCount += Entries.length - Successful.length; // what was refused is sent again
    }
  };
  await Promise.all(Array.from({ length: CONNECTION_COUNT }, sender));
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/health`)).ok;
  } catch {
    return false;
  }
}
