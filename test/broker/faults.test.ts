// A fault of the program in one answer is told, and is nobody else's.
import { expect, test } from "vitest";
import { FakeDisk } from "../support/fake-disk.ts";
import { create, openOn, outgoing, receiveAll, send } from "../support/open-broker.ts";

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
