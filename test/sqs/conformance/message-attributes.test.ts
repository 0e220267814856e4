// Message attributes: rules, digests, selection on receive. Reference 6.2 to 6.5.
import { describe, expect } from "vitest";
import { conformance, type Row, scenario, useBroker } from "../../support/conformance.ts";
import type { Service } from "../../support/service.ts";
import type { Json } from "../../support/sqs-client.ts";
import { MD5 } from "../../support/wordings.ts";

useBroker();

const QUEUE = [["CreateQueue", { QueueName: "q" }]] as const;
const string = (StringValue: string, DataType = "String"): Json => ({ DataType, StringValue });
const binary = (bytes: string | Buffer, DataType = "Binary"): Json => ({
  DataType,
  BinaryValue: Buffer.from(bytes).toString("base64"),
});
const send = (MessageAttributes: Json): Json => ({ QueueUrl: "q", MessageBody: "a", MessageAttributes });
const named = (name: string, value: Json = string("v")): Json => send({ [name]: value });
const accepted = (rule: string, input: Json, digest: unknown = MD5): Row => [
  rule,
  "SendMessage",
  input,
  {
    MessageId: expect.any(String),
    MD5OfMessageBody: "0cc175b9c0f1b6a831c399e269772661",
    MD5OfMessageAttributes: digest,
  },
];
const refused = (rule: string, input: Json, text: string, unsure?: string): Row => [
  rule,
  "SendMessage",
  input,
  `400 InvalidParameterValue | ${text}`,
  unsure,
];
const many = (count: number): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, string("v")]));

const RESERVED =
  "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.";
const CHARACTERS =
  "Message (user) attribute name can only include alphanumeric characters, hyphens, underscores and periods.";

conformance("names and number", QUEUE, [
  accepted("one", send(many(1))),
  accepted("ten", send(many(10))),
  refused("eleven", send(many(11)), "Number of message attributes [11] exceeds the allowed maximum [10]."),
  accepted("letters, digits, underscores, hyphens and dots", named("aZ0_-.b")),
  accepted("256 characters", named("n".repeat(256))),
  refused("257", named("n".repeat(257)), "Message (user) attribute name must be shorter than 256 bytes."),
  accepted("letter case tells names apart", send({ a: string("1"), A: string("2") })),
  [
    "accented letters are taken",
    "SendMessage",
    named("attr.1øßä"),
    expect.anything(),
    "src/sqs/message-attributes.ts checkName",
  ],
  refused("an empty name", named(""), "The request must contain non-empty message (user) attribute names."),
  refused("a dot first", named(".n"), "Message (user) attribute name must not begin with character '.'."),
  refused("a dot last", named("n."), "Message (user) attribute name must not end with character '.'."),
  refused("two dots", named("n..n"), "Message (user) attribute name must not have successive '.' characters."),
  ...["AWS.n", "aws.n", "Amazon.n", "AMAZON.n"].map((name) => refused(name, named(name), RESERVED)),
  accepted("AWSn and Amazonn are not reserved", send({ AWSn: string("v"), Amazonn: string("v") })),
  ...["a b", "a*", "a/b", "a:b", "a\n", "☃"].map((name) => refused(`the name "${name}"`, named(name), CHARACTERS)),
]);

const TYPES =
  "The type of message (user) attribute 'X' is invalid. You must use only the following supported type prefixes: Binary, Number, String.";
const noType = "The message (user) attribute 'X' must contain a non-empty message attribute type.";
const noValue = "The message (user) attribute 'X' must contain a non-empty message attribute value.";
const empty = (type: string): string =>
  `Message (user) attribute 'X' must contain a non-empty value of type '${type}'.`;
const field = (type: string, name: string): string =>
  `Message (user) attribute 'X' with type '${type}' must use field '${name}'.`;
const LISTS =
  "400 AWS.SimpleQueueService.UnsupportedOperation | Message attribute list values in SendMessage operation are not supported.";

conformance("types and values", QUEUE, [
  ...["String", "String.label", "String.", "String.a.b ☃"].map((type) => accepted(type, named("X", string("v", type)))),
  accepted("a type of 256 characters", named("X", string("v", `String.${"l".repeat(249)}`))),
  refused(
    "a type of 257",
    named("X", string("v", `String.${"l".repeat(250)}`)),
    "Message (user) attribute type must be shorter than 256 bytes.",
  ),
  ...["string", "STRING", "Stringy", "Int", ".String", " String"].map((type) =>
    refused(`the type "${type}"`, named("X", string("v", type)), TYPES),
  ),
  refused("no type", named("X", { StringValue: "v" }), noType),
  refused("an empty type", named("X", string("v", "")), noType),
  refused("no value", named("X", { DataType: "String" }), noValue),
  refused("no value, Binary", named("X", { DataType: "Binary" }), noValue),
  refused("an empty String", named("X", string("")), empty("String")),
  refused("an empty Number", named("X", string("", "Number")), empty("Number")),
  refused("an empty value of a labelled type", named("X", string("", "String.l")), empty("String.l")),
  refused("an empty Binary", named("X", binary("")), empty("Binary")),
  refused("a String in the field of Binary", named("X", binary("v", "String")), field("String", "String")),
  refused("a Number in the field of Binary", named("X", binary("1", "Number")), field("Number", "String")),
  refused("a Binary in the field of String", named("X", string("v", "Binary")), field("Binary", "Binary")),
  refused(
    "both fields",
    named("X", { ...string("v"), ...binary("v", "String") }),
    "Message (user) attribute 'X' must have a single value.",
  ),
  ["StringListValues", "SendMessage", named("X", { DataType: "String", StringListValues: ["v"] }), LISTS],
  ["BinaryListValues", "SendMessage", named("X", { DataType: "Binary", BinaryListValues: ["AQ=="] }), LISTS],
  accepted("an empty list is no list", named("X", { ...string("v"), StringListValues: [], BinaryListValues: [] })),
  refused(
    "a character that no body may have",
    named("X", string("v\u0001")),
    "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
  ),
]);

const NUMBERS = [
  ...["0", "-0", "1", "-1", "+1", "1.50", "0.10", ".5", "5.", "007", "1e5", "1E+5", "1e-5"],
  ...["1e126", "-9.9e126", "1e-128", `1${"0".repeat(126)}`, "9".repeat(38), `0.${"0".repeat(127)}1`],
];
const NO_NUMBERS = [
  ...["x", "1x", "0x10", "1e127", "1e-129", "9".repeat(39), ".", "-", "--1", "1e", "1e1.5", "1,5", " 1", "1 ", "1_000"],
  ...["Infinity", "NaN", "1".repeat(200)],
];

conformance("Number: 38 digits, 1e-128 to 1e126", QUEUE, [
  ...NUMBERS.map((number) => accepted(number.slice(0, 60), named("X", string(number, "Number")))),
  ...NO_NUMBERS.map((number) =>
    refused(
      `"${number.slice(0, 60)}" is none`,
      named("X", string(number, "Number.int")),
      "Can't cast the value of message (user) attribute 'X' to a number.",
    ),
  ),
]);

const TRACE = "traceparent\x1E00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
const HELLO = { "Help.Me": string("Me"), Hello: string("There"), General: string("Kenobi") };

conformance("MD5OfMessageAttributes", QUEUE, [
  accepted("a Number", send({ timestamp: string("1493147359900", "Number") }), "235c5c510d26fb653d073faed50ae77c"),
  accepted("a String", send({ Foo: string("Bar") }), "ae7155c6026991b6d54b11589678bf9c"),
  accepted("another", send({ color: string("blue") }), "da1b33cc3cbfe8b1630921e78e6b9880"),
  accepted(
    "all three types, in any order",
    send({ count: string("3", "Number"), color: string("blue"), blob: binary(Buffer.of(1, 2, 3)) }),
    "d838729972a4b70e2d2acd9d59ac847c",
  ),
  accepted("three Strings", send(HELLO), "4c360f3fdafd970e05fae2f149d997f5"),
  accepted("a Binary with a control character", send({ attr1: binary(TRACE) }), "8cbe4db156db8a94db8b801b7addb984"),
  accepted(
    "a label",
    send({ timestamp: string("1493147359900", "Number.java.lang.Long") }),
    "2e2e4876d8e0bd6b8c2c8f556831c349",
  ),
  [
    "none without attributes",
    "SendMessage",
    { QueueUrl: "q", MessageBody: "a", MessageAttributes: {} },
    { MessageId: expect.any(String), MD5OfMessageBody: "0cc175b9c0f1b6a831c399e269772661" },
  ],
]);

/** What comes back of a message with `attributes` when `MessageAttributeNames` are asked for. */
async function selected(sqs: Service, attributes: Json, MessageAttributeNames: readonly string[]): Promise<Json> {
  await sqs.call("CreateQueue", { QueueName: "q" });
  await sqs.call("SendMessage", send(attributes));
  const { Messages } = await sqs.call("ReceiveMessage", { QueueUrl: "q", MessageAttributeNames });
  const [{ MessageAttributes, MD5OfMessageAttributes }] = Messages as [Json];
  return { MessageAttributes, MD5OfMessageAttributes };
}

describe("selecting on receive", () => {
  const selections: readonly (readonly [names: readonly string[], selected: readonly string[], md5?: string])[] = [
    [["All"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [[".*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [["*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [["All", "Hello"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [["Hello"], ["Hello"]],
    [["Hello", "Hello"], ["Hello"]],
    [["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"],
    [["Help.*"], ["Help.Me"]],
    [
      ["Help.*", "General"],
      ["General", "Help.Me"],
    ],
    [["H*"], []],
    [["hello"], []],
    [["Hell"], []],
    [["Missing", "AWS.", "..foo", "a b", ""], []],
    [[], []],
  ];
  for (const [names, expected, md5] of selections) {
    scenario(`${JSON.stringify(names)} selects ${expected.join(" ") || "nothing"}`, async (sqs) => {
      const { MessageAttributes, MD5OfMessageAttributes } = await selected(sqs, HELLO, names);
      const wanted = Object.entries(HELLO).filter(([name]) => expected.includes(name));
      expect(MessageAttributes).toEqual(wanted.length === 0 ? undefined : Object.fromEntries(wanted));
      expect(MD5OfMessageAttributes).toEqual(wanted.length === 0 ? undefined : (md5 ?? MD5));
    });
  }

  const ATTRIBUTES: { readonly [rule: string]: Json } = {
    "a Number as it was sent": { n: string("01.500", "Number") },
    "a label as it was sent": { n: string("x", "String.my.label") },
    "bytes that are no text": { n: binary(Buffer.of(0, 255, 128, 13, 10)) },
    "a text with quotes, returns and brackets": { n: string("a\r\n\"'<&>\t☃") },
  };
  for (const [rule, attributes] of Object.entries(ATTRIBUTES)) {
    scenario(`${rule} comes back`, async (sqs) => {
      expect((await selected(sqs, attributes, ["All"]))["MessageAttributes"]).toEqual(attributes);
    });
  }
});
