// Whose queues a request is about, as it says itself; and that nobody is taken for the one who asked before.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Callers, callerOf } from "../../src/sqs/caller.ts";
import { newRequestId } from "../../src/sqs/request-ids.ts";

const signed = (credential: string, signature: string) =>
  `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=${signature}`;

describe("callers", () => {
  test("one who asks again is the same object, however his request is signed", () => {
    const callers = new Callers("000000000000", "us-east-1");
    const first = callers.of({ authorization: signed("me/20260101/eu-west-1/sqs/x", "1"), query: "", host: "h" });
    expect(first).toEqual({ account: "000000000000", region: "eu-west-1", senderId: "me" });
    expect(callers.of({ authorization: signed("me/20260101/eu-west-1/sqs/x", "2"), query: "", host: "h" })).toBe(first);
  });

  test("one who says nothing is anonymous, in the region of the host", () => {
    const callers = new Callers("000000000000", "us-east-1");
    const nobody = { authorization: "", query: "" };
    const here = callers.of({ ...nobody, host: "localhost:9324" });
    expect(here).toEqual({ account: "000000000000", region: "us-east-1", senderId: "anonymous" });
    expect(callers.of({ ...nobody, host: "localhost:9324" })).toBe(here);
    const there = callers.of({ ...nobody, host: "sqs.eu-west-1.localhost.localstack.cloud:9324" });
    expect(there).toEqual({ account: "000000000000", region: "eu-west-1", senderId: "anonymous" });
  });

  test("remembering changes nothing, whoever asks after whom", () => {
    const part = fc.constantFrom(
      "",
      "a",
      "ab",
      "/",
      "a/d",
      "111122223333/d/us-east-1/sqs",
      "a/d/eu-west-1/",
      "a/d/eu-west-1x/",
    );
    const authorization = fc.oneof(
      part,
      part.map((text) => `Credential=${text}`),
      part.map((text) => signed(text, "s")),
    );
    const query = fc.oneof(
      part,
      part.map((text) => `X-Amz-Credential=${text}`),
    );
    const host = fc.constantFrom("localhost", "sqs.eu-west-1.amazonaws.com", "eu-west-1.queue.localhost");
    fc.assert(
      fc.property(fc.array(fc.record({ authorization, query, host }), { maxLength: 12 }), (requests) => {
        const callers = new Callers("000000000000", "us-east-1");
        for (const request of requests) {
          expect(callers.of(request)).toEqual(callerOf(request, "000000000000", "us-east-1"));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test("request IDs are version 4 UUIDs, and no two are the same", () => {
  const ids = Array.from({ length: 1_000 }, newRequestId);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(ids.length);
});
