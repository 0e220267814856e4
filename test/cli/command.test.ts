import { describe, expect, test } from "vitest";
import { readCommand, UsageError } from "../../src/cli/command.ts";

function mistakesOf(...args: string[]): string[] {
  try {
    readCommand(args, {});
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message.split("\n");
  }
}

describe("the words of a command", () => {
  test("a queue is enough", () => {
    expect(readCommand(["tail", "hello"], {})).toEqual({
      name: "tail",
      queue: "hello",
      endpoint: "http://127.0.0.1:9324",
      region: undefined,
      ack: false,
      countMax: Number.POSITIVE_INFINITY,
    });
    expect(readCommand(["publish", "hello"], {})).toMatchObject({ name: "publish", unique: false, delayMs: undefined });
  });

  test("flags count more than the environment", () => {
    const env = { WASQ_ENDPOINT: "http://broker:1", AWS_REGION: "eu-west-3" };
    expect(readCommand(["tail", "hello"], env)).toMatchObject({ endpoint: "http://broker:1", region: "eu-west-3" });
    const args = ["tail", "--ack", "hello", "--endpoint=https://other", "--region", "us-west-2", "--count", "3"];
    expect(readCommand(args, env)).toMatchObject({
      endpoint: "https://other",
      region: "us-west-2",
      ack: true,
      countMax: 3,
    });
    expect(readCommand(["publish", "orders.fifo", "--group", "g", "--unique", "--delay", "5"], {})).toMatchObject({
      groupId: "g",
      unique: true,
      delayMs: 5_000,
    });
  });

  test("other commands, and questions for help, are not for it", () => {
    for (const args of [[], ["serve"], ["--help"], ["tail", "--help"], ["publish", "x", "--version"]]) {
      expect(readCommand(args, {})).toBeUndefined();
    }
  });

  test("all mistakes are told", () => {
    expect(mistakesOf("tail")).toEqual(["Which queue? wasq tail QUEUE"]);
    expect(mistakesOf("tail", "a", "b", "--count", "0", "--group", "g", "--endpoint", "nonsense", "--ack=yes")).toEqual(
      [
        "wasq tail has no flag --group",
        "--ack takes no value",
        'Too many words: "b g"',
        '--endpoint is "nonsense": a URL is needed, such as http://127.0.0.1:9324',
        '--count is "0": a whole number from 1 is needed',
      ],
    );
    expect(mistakesOf("publish", "q", "--delay", "901", "--region")).toEqual([
      "--region needs a value",
      '--delay is "901": a whole number from 0 to 900 is needed',
    ]);
  });
});
