// A fault of the program in one answer is told, and is nobody else's; and a broker that cannot go on ends.
import { expect, test, vi } from "vitest";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, find, openOn, outgoing, receiveAll, send } from "../support/open-broker.ts";

test("an answer that throws keeps none of those behind it from theirs", async () => {
  const faults: unknown[] = [];
  const { broker, close } = await openOn(new FakeDisk(), undefined, { onFault: (error) => faults.push(error) });
  const queue = await create(broker, "work");
  const before = send(broker, queue, [outgoing("a")]);
  broker.send(queue, [outgoing("b")], () => {
    throw new Error("nobody expected this");
  });
  const behind = send(broker, queue, [outgoing("c")]);
  expect(await before).toMatchObject([{ status: "sent" }]);
  expect(await behind).toMatchObject([{ status: "sent" }]);
  expect(faults.map(String)).toEqual(["Error: nobody expected this"]);
  expect((await receiveAll(broker, queue)).map(({ body }) => body)).toEqual(["a", "b", "c"]);
  await close();
});

test("after a write that failed it can be closed: whoever waits for the disk is told, and the next process may open it", async () => {
  const disk = new FakeDisk();
  const failures: Error[] = [];
  const opened = await openOn(disk, undefined, { onFatal: (error) => failures.push(error) });
  const queue = await create(opened.broker, "work");
  await send(opened.broker, queue, [outgoing("a")]);
  disk.fault = { call: disk.calls.length, code: "EIO" };
  let isAnswered = false;
  opened.broker.send(queue, [outgoing("b")], () => {
    isAnswered = true;
  });
  await expect(opened.flush()).rejects.toThrow("EIO");
  await expect(opened.flush()).rejects.toThrow("EIO");
  expect(failures).toHaveLength(1);
  disk.fault = undefined;
  await expect(opened.close()).rejects.toBe(failures[0]);
  expect(isAnswered).toBe(false);
  expect(failures).toHaveLength(1);

  const again = await openOn(disk);
  expect((await receiveAll(again.broker, find(again.broker, "work"))).map(({ body }) => body)).toContain("a");
  await again.close();
});

test("after a read that failed it can be closed, with all that it was asked on disk", async () => {
  const disk = new FakeDisk();
  const before = await openOn(disk);
  await send(before.broker, await create(before.broker, "work"), [outgoing("a".repeat(3_000)), outgoing("b")]);
  await before.close();
  const failures: Error[] = [];
  const opened = await openOn(disk, undefined, { onFatal: (error) => failures.push(error) });
  const [name] = [...disk.files()].find(([, bytes]) => Buffer.from(bytes).includes("aaaa")) ?? [""];
  const bytes = disk.bytesOf(name);
  bytes[Buffer.from(bytes).indexOf("aaaa")] = 98;
  const queue = find(opened.broker, "work");
  opened.broker.receive(queue, { countMax: 1, visibilityMs: 1_000, waitMs: 0, attemptId: undefined }, () => {});
  await vi.waitFor(() => expect(failures).toHaveLength(1));
  expect(failures[0]?.message).toMatch("is damaged at offset");
  expect(await send(opened.broker, queue, [outgoing("c")])).toMatchObject([{ status: "sent" }]);
  await opened.close();
  expect(failures).toHaveLength(1);
});
