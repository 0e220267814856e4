// SQS's two forms on the wire, as far as a load needs them: AWS JSON, and AWS Query for a server that has only that.

export interface Got {
  readonly handle: string;
  readonly body: string;
}

export interface Grouping {
  readonly groupId: string;
  readonly deduplicationId: string;
}

export interface Dialect {
  createQueue(name: string, attributes: Readonly<Record<string, string>>): Buffer;
  getUrl(name: string): Buffer;
  /** One message, or a batch of as many as there are groupings. */
  send(url: string, body: string, groupings: readonly (Grouping | undefined)[]): Buffer;
  receive(url: string, countMax: number, waitSeconds: number): Buffer;
  deleteBatch(url: string, handles: readonly string[]): Buffer;
  urlIn(answer: string): string;
  messagesIn(answer: string): readonly Got[];
  /** Of the same answer the receipt handles alone, as they stand in it, and as they go into a deletion. */
  handlesIn(answer: string): readonly string[];
  hasFailed(answer: string): boolean;
}

const AUTHORIZATION =
  "Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x\r\n";

/** Where an answer's text has one, however it is spaced: an answer of ten messages is read without an object for each. */
const HANDLE = '"ReceiptHandle"';

function post(headers: string, body: string): Buffer {
  const head = `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}${AUTHORIZATION}`;
  return Buffer.from(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function jsonText(action: string, text: string): Buffer {
  return post(`Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.${action}\r\n`, text);
}

const asJson = (action: string, input: object): Buffer => jsonText(action, JSON.stringify(input));

export const JSON_DIALECT: Dialect = {
  createQueue: (QueueName, Attributes) => asJson("CreateQueue", { QueueName, Attributes }),
  getUrl: (QueueName) => asJson("GetQueueUrl", { QueueName }),
  send(QueueUrl, MessageBody, groupings) {
    const grouped = (grouping: Grouping | undefined): object =>
      grouping === undefined
        ? {}
        : { MessageGroupId: grouping.groupId, MessageDeduplicationId: grouping.deduplicationId };
    if (groupings.length === 1) return asJson("SendMessage", { QueueUrl, MessageBody, ...grouped(groupings[0]) });
    const Entries = groupings.map((grouping, i) => ({ Id: String(i), MessageBody, ...grouped(grouping) }));
    return asJson("SendMessageBatch", { QueueUrl, Entries });
  },
  receive: (QueueUrl, MaxNumberOfMessages, WaitTimeSeconds) =>
    asJson("ReceiveMessage", { QueueUrl, MaxNumberOfMessages, WaitTimeSeconds }),
  deleteBatch(QueueUrl, handles) {
    let entries = "";
    for (let i = 0; i < handles.length; i++)
      entries += `${i === 0 ? "" : ","}{"Id":"${i}","ReceiptHandle":"${handles[i]}"}`;
    return jsonText("DeleteMessageBatch", `{"QueueUrl":"${QueueUrl}","Entries":[${entries}]}`);
  },
  urlIn: (answer) => (JSON.parse(answer) as { QueueUrl: string }).QueueUrl,
  messagesIn(answer) {
    const { Messages }: { Messages?: { ReceiptHandle: string; Body: string }[] } = JSON.parse(answer);
    return (Messages ?? []).map(({ ReceiptHandle, Body }) => ({ handle: ReceiptHandle, body: Body }));
  },
  handlesIn(answer) {
    const handles: string[] = [];
    for (let found = answer.indexOf(HANDLE); found !== -1; found = answer.indexOf(HANDLE, found)) {
      const start = answer.indexOf('"', found + HANDLE.length) + 1;
      found = answer.indexOf('"', start);
      handles.push(answer.slice(start, found));
    }
    return handles;
  },
  hasFailed: (answer) => /"Failed": ?\[ ?\{/.test(answer),
};

function asQuery(Action: string, input: Readonly<Record<string, string>>): Buffer {
  const form = new URLSearchParams({ Action, Version: "2012-11-05", ...input });
  return post("Content-Type: application/x-www-form-urlencoded\r\n", form.toString());
}

export const QUERY_DIALECT: Dialect = {
  createQueue(QueueName, attributes) {
    const pairs = Object.entries(attributes).flatMap(([name, value], i) => [
      [`Attribute.${i + 1}.Name`, name],
      [`Attribute.${i + 1}.Value`, value],
    ]);
    return asQuery("CreateQueue", { QueueName, ...Object.fromEntries(pairs) });
  },
  getUrl: (QueueName) => asQuery("GetQueueUrl", { QueueName }),
  send(QueueUrl, MessageBody, groupings) {
    const grouped = (prefix: string, grouping: Grouping | undefined): Record<string, string> =>
      grouping === undefined
        ? {}
        : {
            [`${prefix}MessageGroupId`]: grouping.groupId,
            [`${prefix}MessageDeduplicationId`]: grouping.deduplicationId,
          };
    if (groupings.length === 1) return asQuery("SendMessage", { QueueUrl, MessageBody, ...grouped("", groupings[0]) });
    const entries = groupings.map((grouping, i) => {
      const prefix = `SendMessageBatchRequestEntry.${i + 1}.`;
      return { [`${prefix}Id`]: String(i), [`${prefix}MessageBody`]: MessageBody, ...grouped(prefix, grouping) };
    });
    return asQuery("SendMessageBatch", Object.assign({ QueueUrl }, ...entries));
  },
  receive: (QueueUrl, countMax, waitSeconds) =>
    asQuery("ReceiveMessage", {
      QueueUrl,
      MaxNumberOfMessages: String(countMax),
      WaitTimeSeconds: String(waitSeconds),
    }),
  deleteBatch(QueueUrl, handles) {
    const entries = handles.map((handle, i) => {
      const prefix = `DeleteMessageBatchRequestEntry.${i + 1}.`;
      return { [`${prefix}Id`]: String(i), [`${prefix}ReceiptHandle`]: handle };
    });
    return asQuery("DeleteMessageBatch", Object.assign({ QueueUrl }, ...entries));
  },
  urlIn: (answer) => /<QueueUrl>([^<]*)</.exec(answer)?.[1] ?? "",
  messagesIn(answer) {
    const bodies = [...answer.matchAll(/<Body>([^<]*)</g)];
    return QUERY_DIALECT.handlesIn(answer).map((handle, i) => ({ handle, body: bodies[i]?.[1] ?? "" }));
  },
  handlesIn: (answer) => Array.from(answer.matchAll(/<ReceiptHandle>([^<]*)</g), ([, handle]) => handle ?? ""),
  hasFailed: (answer) => answer.includes("<BatchResultErrorEntry>"),
};
