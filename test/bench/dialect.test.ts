// What the HTTP client reads of a receive's answer without parsing it, and what it asks for then.
import { expect, test } from "vitest";
import { JSON_DIALECT, QUERY_DIALECT } from "../../bench/peers/drivers/dialect.ts";

const MESSAGES = [
  { MessageId: "1", ReceiptHandle: "wJs1/+=#a", MD5OfBody: "0", Body: "a ReceiptHandle" },
  { Body: "b", ReceiptHandle: "AQ-2" },
];

test.each([undefined, 1])("receipt handles are those of the answer, however it is spaced", (space) => {
  const answer = JSON.stringify({ Messages: MESSAGES }, null, space);
  expect(JSON_DIALECT.handlesIn(answer)).toEqual(MESSAGES.map(({ ReceiptHandle }) => ReceiptHandle));
  expect(JSON_DIALECT.handlesIn(answer)).toEqual(JSON_DIALECT.messagesIn(answer).map(({ handle }) => handle));
});

test("an answer without messages has none", () => {
  for (const answer of ["{}", '{"Messages":[]}']) expect(JSON_DIALECT.handlesIn(answer)).toEqual([]);
});

test("a deletion names each of them", () => {
  const handles = MESSAGES.map(({ ReceiptHandle }) => ReceiptHandle);
  const [, body = ""] = JSON_DIALECT.deleteBatch("http://127.0.0.1/0/q", handles).toString().split("\r\n\r\n");
  expect(JSON.parse(body)).toEqual({
    QueueUrl: "http://127.0.0.1/0/q",
    Entries: handles.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle })),
  });
});

test("in AWS Query they are read as well", () => {
  const message = (handle: string, body: string) =>
    `<Message><ReceiptHandle>${handle}</ReceiptHandle><Body>${body}</Body></Message>`;
  const answer = `<Messages>${message("a", "1")}${message("b", "2")}</Messages>`;
  expect(QUERY_DIALECT.handlesIn(answer)).toEqual(["a", "b"]);
  expect(QUERY_DIALECT.messagesIn(answer)).toEqual([
    { handle: "a", body: "1" },
    { handle: "b", body: "2" },
  ]);
});

test.each([
  ['{"Failed":[{"Id":"0"}]}', true],
  ['{"Successful": [], "Failed": [{"Id": "0"}]}', true],
  ['{"Successful":[{"Id":"0"}],"Failed":[]}', false],
])("%s has failed: %s", (answer, hasFailed) => {
  expect(JSON_DIALECT.hasFailed(answer)).toBe(hasFailed);
});
