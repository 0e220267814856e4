// Where a queue's dead letters go, in both kinds of file; only the name of one member differs.
import type { QueueWish } from "./queue-wishes.ts";
import { asText, type Mistakes, readMembers, type Tree } from "./tree.ts";

/** @param queueMember what the file calls the queue they go to */
export function readDeadLetters(
  tree: Tree,
  path: string,
  queueMember: "name" | "queue",
  mistakes: Mistakes,
): QueueWish["deadLetters"] {
  let queue: string | undefined;
  let maxReceiveCount: string | undefined;
  const countBefore = mistakes.lines.length;
  readMembers(
    tree,
    path,
    {
      [queueMember]: (value: Tree, inner: string) => {
        queue = asText(value, inner, mistakes);
      },
      maxReceiveCount: (value, inner) => {
        maxReceiveCount = asText(value, inner, mistakes);
      },
    },
    mistakes,
  );
  if (queue !== undefined && maxReceiveCount !== undefined) return { queue, maxReceiveCount };
  if (mistakes.lines.length === countBefore) {
    mistakes.add(tree.line, `${path} needs both ${queueMember} and maxReceiveCount`);
  }
  return undefined;
}
