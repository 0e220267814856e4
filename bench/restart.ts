// kill -9 with a million queued: how long until the next process answers, and has every message.
import { join } from "node:path";
import type { OpenPhases } from "./opened-broker.ts";
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
    await broker.stop("SIGKILL");
    const emptyMs = await emptyStartMs(join(directory.path, "empty"), endpoint);
    const phases: OpenPhases[] = [];
    for (let round = 0; round < ROUND_COUNT; round++) {
      phases.push(await runScript<OpenPhases>("opened-broker.ts", { directory: data }));
    }
    const phase = (name: keyof OpenPhases) => median(phases.map((each) => each[name]));
    const figures = [median(answeredMs), Math.max(...answeredMs), emptyMs, phase("logMs"), phase("indexMs")];
    const all = [...figures, phase("recordsMs"), phase("restoreMs")];
    table(
      "Restart after SIGKILL: from spawn to GET /health, every message counted; its phases, measured one by one",
      ["queued", "median ms", "worst ms", "nothing queued", "log", "of it indexes", "of it records", "restore"],
      [[whole(MESSAGE_COUNT), ...all.map((ms) => `${Math.round(ms)}`)]],
    );
  } finally {
    await broker.stop("SIGKILL");
    directory.remove();
  }
}

/** The same start with an empty log: Node, the bundle, the addon, two segments of zeros. */
async function emptyStartMs(data: string, endpoint: string): Promise<number> {
  const startedMs: number[] = [];
  for (let round = 0; round <= ROUND_COUNT; round++) {
    const beganMs = performance.now();
    const starting = startBroker(data, [], PORT);
    while (!(await isHealthy(endpoint))) await new Promise((resolve) => setTimeout(resolve, 2));
    if (round > 0) startedMs.push(performance.now() - beganMs); // the first makes the log
    await (await starting).stop("SIGTERM");
  }
  return median(startedMs);
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/health`)).ok;
  } catch {
    return false;
  }
}
