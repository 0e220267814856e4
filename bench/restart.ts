// kill -9 with a million queued: how long until the next process answers, and has every message.
import { join } from "node:path";
import { call, median, runScript, startBroker, table, temporaryDirectory, whole } from "./support.ts";

const MESSAGE_COUNT = 1_000_000;
const ROUND_COUNT = 5;
/** Below the ports that clients are given: asking one of those until somebody answers may end with oneself. */
const PORT = 19_324;

export async function restart(): Promise<void> {
  const directory = temporaryDirectory();
  const data = join(directory.path, "data");
  const endpoint = `http://127.0.0.1:${PORT}`;
  await runScript("filled-broker.ts", { directory: data, messageCount: MESSAGE_COUNT, receiveCount: 0 });
  let broker = await startBroker(data, [], PORT);
  try {
    const queueUrl = `${endpoint}/000000000000/filled`;
    const answeredMs: number[] = [];
    for (let round = 0; round < ROUND_COUNT; round++) {
      await broker.stop("SIGKILL");
      const startMs = performance.now();
      const starting = startBroker(data, [], PORT);
      while (!(await isHealthy(endpoint))) await new Promise((resolve) => setTimeout(resolve, 2));
      answeredMs.push(performance.now() - startMs);
      broker = await starting;
      const { text } = await call(endpoint, "GetQueueAttributes", {
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

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/health`)).ok;
  } catch {
    return false;
  }
}
