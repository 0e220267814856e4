// When a move task moves what, and how it ends. Each scenario is played without restarts, and with one before each line.
import { expect, test } from "vitest";
import { MOVE_TASK_COUNT_MAX, MOVE_TASK_KEPT_MAX } from "../../src/limits.ts";
import { CoreDriver, type QueueSpec, STANDARD } from "../support/core-driver.ts";
import { scenario } from "../support/scenario.ts";

test("without a destination each message goes back to the queue it was redriven from", () => {
  scenario(`
    queue dead visibility=5s
    queue other max=1 dead=dead visibility=1s
    queue main max=1 dead=dead visibility=1s
    0s     send    a b                        -> ok
    0s     send    x queue=other              -> ok
    0s     tasks   from=dead                  -> none
    0s     receive max=10                     -> a#1 b#1
    0s     receive max=10 queue=other         -> x#1
    1s     receive max=10                     -> nothing
    1s     receive max=10 queue=other         -> nothing
    1s     receive queue=dead                 -> a#2
    2s     start   from=dead                  -> started
    2s     tasks   from=dead                  -> completed 2/2
    2s     count   queue=dead                 -> 0 1 0   // in flight: not the task's
    2s     receive max=10                     -> b'#1
    2s     receive max=10 queue=other         -> x'#1
    6s     start   from=dead                  -> started
    6s     tasks   from=dead                  -> completed 1/1, completed 2/2
    6s     receive max=10                     -> a'#1    // b' has failed again
  `);
});

test("with a destination everything goes there", () => {
  scenario(`
    queue dead
    queue third
    queue main max=1 dead=dead visibility=1s
    0s     send    a                          -> ok
    0s     send    direct queue=dead          -> ok
    0s     receive                            -> a#1
    1s     receive                            -> nothing
    1s     start   from=dead to=third         -> started
    1s     tasks   from=dead                  -> completed 2/2
    1s     receive max=10 queue=third         -> direct'#1 a'#1
  `);
});

test("at 1 message per second n messages take n - 1 seconds", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a b c d queue=dead         -> ok
    10s    start   from=dead to=main rate=1   -> started
    10s    tasks   from=dead                  -> running 1/4
    10.9s  count                              -> 1 0 0
    11s    count                              -> 2 0 0
    11.5s  tasks   from=dead                  -> running 2/4
    12s    tasks   from=dead                  -> running 3/4
    12.9s  count   queue=dead                 -> 1 0 0
    13s    tasks   from=dead                  -> completed 4/4
    13s    receive max=10                     -> a'#1 b'#1 c'#1 d'#1
  `);
});

test("what becomes visible while the task runs is moved with the rest", () => {
  scenario(`
    queue dead visibility=2s
    queue main
    0s     send    a b c queue=dead           -> ok
    0s     receive queue=dead                 -> a#1
    0s     start   from=dead to=main rate=1   -> started
    0.5s   send    d queue=dead               -> ok
    1s     tasks   from=dead                  -> running 2/2
    2s     tasks   from=dead                  -> running 3/2
    3s     tasks   from=dead                  -> completed 4/2
    3s     receive max=10                     -> b'#1 c'#1 a'#1 d'#1
  `);
});

test("a cancelled task moves nothing more, and what it moved stays moved", () => {
  scenario(`
    queue dead
    queue main
    0s     stop    from=dead                  -> unknown
    0s     send    a b c queue=dead           -> ok
    0s     start   from=dead to=main rate=1   -> started
    1.5s   stop    from=dead                  -> cancelled 2
    1.5s   stop    from=dead                  -> notActive
    9s     tasks   from=dead                  -> cancelled 2/3
    9s     count   queue=dead                 -> 1 0 0
    9s     start   from=dead to=main          -> started
    9s     tasks   from=dead                  -> completed 1/1, cancelled 2/3
    9s     stop    from=dead                  -> notActive
  `);
});

test("a source has one active task", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a b queue=dead             -> ok
    0s     start   from=dead to=main rate=1   -> started
    0s     start   from=dead to=main          -> active
    1s     tasks   from=dead                  -> completed 2/2
    1s     start   from=dead to=main          -> started
    1s     tasks   from=dead                  -> completed 0/0, completed 2/2
  `);
});

test("a message that was sent to the dead-letter queue has no source: the task fails at it", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=1s
    0s     send    a                          -> ok
    0s     receive                            -> a#1
    1s     receive                            -> nothing
    1s     send    direct queue=dead          -> ok
    1s     start   from=dead                  -> started
    1s     tasks   from=dead                  -> failed 1/2 sourceUnknown
    1s     count   queue=dead                 -> 1 0 0
    1s     receive                            -> a'#1
  `);
});

test("the destination is deleted while the task runs: it fails, and what is left stays", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a b c queue=dead           -> ok
    0s     start   from=dead to=main rate=1   -> started
    1.5s   drop    queue=main                 -> ok
    2s     tasks   from=dead                  -> failed 2/3 destinationGone
    2s     count   queue=dead                 -> 1 0 0
    2s     receive queue=dead                 -> c#1
  `);
});

test("so it is with the queue that a message was redriven from", () => {
  scenario(`
    queue dead
    queue main max=1 dead=dead visibility=1s
    0s     send    a                          -> ok
    0s     receive                            -> a#1
    1s     receive                            -> nothing
    1s     drop    queue=main                 -> ok
    1s     start   from=dead                  -> started
    1s     tasks   from=dead                  -> failed 0/1 destinationGone
    1s     count   queue=dead                 -> 1 0 0
  `);
});

test("a task ends with its source", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a b c queue=dead           -> ok
    0s     start   from=dead to=main rate=1   -> started
    0.5s   drop    queue=dead                 -> ok
    9s     count                              -> 1 0 0
  `);
});

test("FIFO: groups go back in order, behind what came since", () => {
  scenario(`
    queue dead fifo
    queue main fifo max=1 dead=dead visibility=1s
    0s     send    g1/a g1/b g2/x             -> ok
    0s     receive max=10                     -> a#1 b#1 x#1
    1s     receive max=10                     -> nothing
    1s     send    g1/c                       -> ok
    1s     start   from=dead                  -> started
    1s     tasks   from=dead                  -> completed 3/3
    1s     receive max=10                     -> c#1 a'#1 b'#1 x'#1
  `);
});

test("a task that is not through after 36 hours fails", () => {
  scenario(`
    queue dead
    queue main
    0s     send    a b c d queue=dead                -> ok
    0s     start   from=dead to=main rate=0.00002    -> started   // a message in 50,000 s
    35h    tasks   from=dead                         -> running 3/4
    42h    tasks   from=dead                         -> failed 3/4 timedOut
    42h    count   queue=dead                        -> 1 0 0
  `);
});

function rates(driver: CoreDriver, endMs: number, stepMs: number): number[] {
  const counts: number[] = [];
  for (let nowMs = driver.nowMs; nowMs <= endMs; nowMs += stepMs) {
    driver.advanceTo(nowMs);
    counts.push(driver.tasks("dead")[0]?.movedCount ?? 0);
  }
  return counts;
}

function driverWith(count: number): CoreDriver {
  const driver = new CoreDriver([{ ...STANDARD, name: "dead" }, STANDARD]);
  for (let i = 0; i < count; i += 10) {
    const entries = Array.from({ length: Math.min(10, count - i) }, (_, k) => ({ body: `m${i + k}` }));
    driver.send("dead", entries);
  }
  return driver;
}

test.for([3, 7, 60, 500])("at %i messages per second no second sees more, and none fewer", (messagesPerSecond) => {
  const driver = driverWith(messagesPerSecond * 4);
  driver.startTask("dead", { destinationArn: "main", messagesPerSecond });
  const counts = rates(driver, 3_000, 100);
  expect(counts[0]).toBe(1);
  for (let i = 10; i < counts.length; i++) {
    const inSecond = (counts[i] as number) - (counts[i - 10] as number);
    expect(Math.abs(inSecond - messagesPerSecond), `up to ${i * 100} ms`).toBeLessThanOrEqual(1);
  }
});

test("the time that a process was down is not made up for", () => {
  const driver = driverWith(50);
  driver.startTask("dead", { destinationArn: "main", messagesPerSecond: 2 });
  driver.advanceTo(1_000);
  expect(driver.tasks("dead")[0]?.movedCount).toBe(3);
  driver.nowMs = 60_000;
  driver.restart();
  expect(rates(driver, 61_000, 500)).toEqual([4, 5, 6]);
});

test("tasks without a rate share their turns, and each moves all", () => {
  const names = ["dead", "dead2", "dead3"];
  const driver = new CoreDriver([...names.map((name) => ({ ...STANDARD, name })), STANDARD]);
  for (const name of names) {
    for (let i = 0; i < 60; i++)
      driver.send(
        name,
        Array.from({ length: 10 }, (_, k) => ({ body: `${name}-${i}-${k}` })),
      );
  }
  for (const name of names) {
    expect(driver.startTask(name, { destinationArn: "main", messagesPerSecond: undefined })).toBe("started");
  }
  driver.advanceTo(1);
  for (const name of names) {
    expect(driver.tasks(name)[0]).toMatchObject({ status: "completed", movedCount: 600, toMoveCount: 600 });
  }
  expect(driver.counts("main").visible).toBe(1_800);
  driver.restart();
  expect(driver.counts("main").visible).toBe(1_800);
});

test("an account has a hundred tasks that run; of each source ten are remembered", () => {
  const sources: QueueSpec[] = Array.from({ length: MOVE_TASK_COUNT_MAX + 1 }, (_, i) => ({
    ...STANDARD,
    name: `d${i}`,
  }));
  const driver = new CoreDriver([...sources, STANDARD]);
  const started = sources.map(({ name }) => {
    driver.send(name, [{ body: `${name}a` }, { body: `${name}b` }]);
    return driver.startTask(name, { destinationArn: "main", messagesPerSecond: 1 });
  });
  expect(started.filter((status) => status === "started")).toHaveLength(MOVE_TASK_COUNT_MAX);
  expect(started.at(-1)).toBe("overLimit");
  driver.advanceTo(1_000);
  for (let i = 0; i < MOVE_TASK_KEPT_MAX + 2; i++) {
    driver.send("d0", [{ body: `more ${i}` }]);
    driver.startTask("d0", { destinationArn: "main", messagesPerSecond: undefined });
    driver.advanceTo(driver.nowMs + 1);
  }
  driver.restart();
  const startedMs = driver.tasks("d0").map((task) => task.startedMs);
  expect(startedMs).toHaveLength(MOVE_TASK_KEPT_MAX);
  expect(startedMs).toEqual([...startedMs].sort((a, b) => b - a));
});
