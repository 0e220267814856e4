// What of which server is asked for, and what that is expected to take.
import { describe, expect, test } from "vitest";
import {
  type Extent,
  LOAD_CASES,
  latencySeconds,
  measuredSeconds,
  type Shape,
  shapesOf,
} from "../../bench/peers/cases.ts";
import { PEERS } from "../../bench/peers/peers.ts";
import type { Peer } from "../../bench/peers/server.ts";
import { shapeSeconds, startSeconds } from "../../bench/peers/session.ts";

const extent: Extent = { seconds: 2, isFull: true, scale: 1 };
const peer = (name: string): Peer => PEERS.find((each) => each.name === name) as Peer;
const shapes = (name: string, of: string): readonly Shape[] =>
  LOAD_CASES.filter((each) => each.name === of).flatMap((each) => shapesOf(peer(name), each, true));
const shape = (name: string, of: string, its: string): Shape =>
  shapes(name, of).find((each) => each.name === its) as Shape;

describe("a server that does a few hundred messages a second", () => {
  test("is asked for no more in flight than it can ever do, and for no pace", () => {
    const windows = (name: string) => [...new Set(shapes(name, "publish").map(({ job }) => job.inFlight))];
    expect(windows("moto")).toEqual([1, 64, 1_000]);
    expect(windows("goaws")).toEqual([1, 64, 1_000, 10_000]);
    expect(shapes("moto", "latency")).toEqual([]);
  });

  test("is in a short run asked for what it always was", () => {
    const names = LOAD_CASES.flatMap((each) => shapesOf(peer("moto"), each, false).map(({ name }) => name));
    expect(names).toEqual(["256 B, 1 in flight", "256 B, 64 in flight", "256 B, 1,000 in flight"]);
  });
});

describe("what a measurement takes", () => {
  test("has in it the wait for what is left in flight, and of a slow server no more than two starts", () => {
    const of = (inFlight: string) =>
      shapeSeconds(peer("moto"), shape("moto", "publish", `256 B, ${inFlight} in flight`), extent);
    expect(of("64") - of("1")).toBeCloseTo(63 / 150);
    expect(of("1,000") - of("1")).toBeCloseTo(2 * startSeconds(peer("moto")) - 1 / 150);
    expect(of("1,000")).toBeLessThan(10);
  });

  test("waits for a server whose start is dear rather than start it anew", () => {
    const elasticmq = peer("elasticmq");
    const wide = shapeSeconds(elasticmq, shape("elasticmq", "publish", "256 B, 10,000 in flight"), extent);
    expect(wide).toBeLessThan(startSeconds(elasticmq));
  });

  test("of a pace that cannot be kept has its backlog, and of one that can nothing more", () => {
    const of = (name: string, pace: string) =>
      shapeSeconds(peer(name), shape(name, "latency", `256 B, ${pace}/s`), extent);
    expect(of("nats", "1,000")).toBe(of("redis", "20,000"));
    expect(of("nats", "20,000")).toBeCloseTo(of("redis", "20,000") + 2 * startSeconds(peer("nats")));
  });
});

test("a backlog is of a hundred thousand messages, and of large bodies of as many as have 400 MB", () => {
  const counts = shapes("redis", "consume").map(({ job, backlog }) => [job.bodyBytes, backlog]);
  expect(Object.fromEntries(counts)).toEqual({ 64: 100_000, 256: 100_000, 1024: 100_000, 16384: 25_000 });
});

test("a latency is measured five times as long, by whomever and in both lists", () => {
  expect(latencySeconds(extent)).toBe(10);
  for (const { name, quick, full } of LOAD_CASES)
    for (const each of [...quick, ...full]) expect(measuredSeconds(each, extent)).toBe(name === "latency" ? 10 : 2);
});
