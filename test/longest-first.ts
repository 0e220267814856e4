// Which test file is run when. The longest come first: one of them that began last would keep a core of two idle while
// it ends. A first run in a fresh clone knows no durations, and a file's size says little about them: hence this list.
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes ten seconds and more, the longest first; all others follow, the largest first. */
const LONGEST: readonly string[] = [
  "aws/rust.test.ts",
  "simulation/simulation.test.ts",
  "simulation/disk-faults.test.ts",
  "process/kill.test.ts",
  "aws/spring.test.ts",
  "core/model.test.ts",
  "log/encrypted-recovery.test.ts",
  "process/streams.slow.test.ts",
  "core/stream-model.test.ts",
  "aws/celery.test.ts",
  "process/client-cuts.test.ts",
  "log/recovery.test.ts",
  "aws/aws-cli.test.ts",
  "net/http.test.ts",
  "process/long-polls.test.ts",
  "log/encrypted-log.test.ts",
  "process/kms-aws.test.ts",
  "process/client-consumer.test.ts",
  "aws/sts.test.ts",
  "simulation/streams.test.ts",
  "core/publish.test.ts",
  "aws/java.test.ts",
  "broker/many-lives.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.indexOf(relative(import.meta.dirname, moduleId).replaceAll("\\", "/"));
      return place < 0 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
  }
}
