import { applyAttributes, checkTarget, DEFAULT_SETTINGS, firstDifference, parseBoolean } from "../attributes.ts";
import { invalidParameter, SqsError } from "../errors.ts";
import { arnOf, isFifoName, isStandardName } from "../names.ts";
import { inTurn, operation, queueUrlOf } from "../operation.ts";
import { map, string, stringOrNumber } from "../shapes.ts";
import { checkTags } from "../tags.ts";

export const createQueue = operation(
  "CreateQueue",
  {
    QueueName: string,
    Attributes: map("Attribute", "Name", stringOrNumber),
    tags: map("Tag", "Key", string), // lower case only here
  },
  { QueueUrl: string },
  (context, input, reply) => {
    const attributes = input.Attributes ?? new Map<string, string>();
    const tags = input.tags ?? new Map<string, string>();
    const fifo = parseBoolean(attributes.get("FifoQueue") ?? "false", "FifoQueue");
    const name = {
      account: context.account,
      region: context.region,
      name: checkQueueName(input.QueueName, fifo),
    };
    const settings = applyAttributes({ ...DEFAULT_SETTINGS, fifo }, attributes);
    checkTags(name.name, tags, tags.size);

    return inTurn(context, name, reply, (done) => {
      const existing = context.broker.find(name);
      if (existing !== undefined) {
        const attribute = firstDifference(attributes.keys(), settings, existing.settings);
        if (attribute !== undefined) {
          throw new SqsError(
            "QueueNameExists",
            `A queue already exists with the same name and a different value for attribute ${attribute}`,
          );
        }
        done(() => ({ QueueUrl: queueUrlOf(context, existing) }));
        return;
      }
      if (context.state.deleted.has(arnOf(name), context.clock.nowMs())) {
        throw new SqsError(
          "QueueDeletedRecently",
          "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        );
      }
      checkTarget(context, name, settings, attributes);
      context.broker.createQueue(name, settings, tags, () => done(() => ({ QueueUrl: queueUrlOf(context, name) })));
    });
  },
);

export const QUEUE_NAME_MISSING = "Value for parameter QueueName is invalid. Reason: Must specify a queue name.";

function checkQueueName(name: string | undefined, fifo: boolean): string {
  if (name === undefined) throw invalidParameter(QUEUE_NAME_MISSING);
  if (name === "") throw invalidParameter("Queue name cannot be empty");
  if (fifo && !isFifoName(name)) {
    throw invalidParameter(
      "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
    );
  }
  if (!fifo && !isStandardName(name)) {
    throw invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
  }
  return name;
}
