// What is read off a trace: syncs, in which files, and answers that leave before one.
import { expect, test } from "vitest";
import { read } from "../../bench/peers/syncs.ts";

const socket = "9<TCP:[127.0.0.1:700->127.0.0.1:5000]>";
const opened = '1 openat(AT_FDCWD, "/d/log/0001.seg", O_WRONLY|O_DSYNC) = 7</d/log/0001.seg>';
const came = `1 read(${socket}, ""..., 65536) = 300`;
const written = '2 pwrite64(7</d/log/0001.seg>, ""..., 400, 0) = 400';
const answered = `1 write(${socket}, ""..., 20) = 20`;

/** The first twenty answers of a connection are greetings. */
const greetings = Array.from({ length: 20 }, () => [came, written, answered]).flat();
const trace = (...lines: readonly string[]) => read([opened, ...greetings, ...lines].join("\n"), 700, true);

test("an answer after its sync is in time; one before is early", () => {
  expect(trace(came, written, answered, came, answered, written)).toMatchObject({ answerCount: 2, earlyCount: 1 });
});

test("a sync counts where it ends, an answer where it begins", () => {
  const [begun, ended] = [
    "2 pwrite64(7</d/log/0001.seg>, <unfinished ...>",
    '2 <... pwrite64 resumed>""..., 400, 0) = 400',
  ];
  expect(trace(came, begun, answered, ended)).toMatchObject({ answerCount: 1, earlyCount: 1 });
  expect(trace(came, begun, ended, answered)).toMatchObject({ answerCount: 1, earlyCount: 0, syncCount: 1 });
});

test("syncs are told apart by call and kind of file; a write to one without O_DSYNC is none", () => {
  const plain = '1 openat(AT_FDCWD, "/d/x.idx", O_WRONLY) = 8</d/x.idx>';
  const lines = [plain, '1 pwrite64(8</d/x.idx>, ""..., 9, 0) = 9', "1 fdatasync(8</d/x.idx>) = 0"];
  expect([...trace(...lines).files]).toEqual([
    ["O_DSYNC pwrite64 of #.seg", 20],
    ["fdatasync of x.idx", 1],
  ]);
});
