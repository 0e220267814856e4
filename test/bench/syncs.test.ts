// What is read off a trace: syncs, in which files, and confirmations that leave before the one that they need.
import { expect, test } from "vitest";
import { read } from "../../bench/peers/durability.ts";
import { WIRES } from "../../bench/peers/wire.ts";

const BODY = "x".repeat(100);
const PORT = 5000;
const opened = '1 openat(AT_FDCWD, "/d/log/0001.seg", O_WRONLY|O_DSYNC) = 7</d/log/0001.seg>';
const written = '2 pwrite64(7</d/log/0001.seg>, ""..., 150, 0) = 150';

/** As strace writes it. */
const quoted = (text: string): string => text.replaceAll("\r", "\\r").replaceAll("\n", "\\n").replaceAll("\0", "\\0");
const socket = (client: number): string => `9<TCP:[127.0.0.1:${PORT}->127.0.0.1:${client}]>`;
const puts = (count: number, client = 700): string => {
  const text = `put 1 0 60 ${BODY.length}\r\n${BODY}\r\n`.repeat(count);
  return `1 read(${socket(client)}, "${quoted(text)}", 65536) = ${text.length}`;
};
const inserted = (count: number, client = 700): string => {
  const text = "INSERTED 1\r\n".repeat(count);
  return `1 write(${socket(client)}, "${quoted(text)}", ${text.length}) = ${text.length}`;
};
const trace = (...lines: readonly string[]) =>
  read([opened, ...lines].join("\n"), PORT, WIRES.beanstalk as NonNullable<typeof WIRES.beanstalk>, BODY.length);

test("an answer after its sync is in time; one before is early", () => {
  const found = trace(puts(1), written, inserted(1), puts(1), inserted(1), written);
  expect(found).toMatchObject({ cameCount: 2, confirmedCount: 2, earlyCount: 1, syncCount: 1 });
});

test("a sync counts where it ends, an answer where it begins", () => {
  const [begun, ended] = [
    "2 pwrite64(7</d/log/0001.seg>, <unfinished ...>",
    '2 <... pwrite64 resumed>""..., 150, 0) = 150',
  ];
  expect(trace(puts(1), begun, inserted(1), ended)).toMatchObject({ confirmedCount: 1, earlyCount: 1 });
  expect(trace(puts(1), begun, ended, inserted(1))).toMatchObject({ confirmedCount: 1, earlyCount: 0, syncCount: 1 });
  // It came while the write was under way, which cannot have it.
  expect(trace(begun, puts(1), ended, inserted(1))).toMatchObject({ confirmedCount: 1, earlyCount: 1 });
});

test("of several in flight those are early that came after the write that is synced began", () => {
  expect(trace(puts(3), written, puts(2), inserted(5))).toMatchObject({ confirmedCount: 5, earlyCount: 2 });
  expect(trace(puts(3), written, puts(2), inserted(3), written, inserted(2))).toMatchObject({ earlyCount: 0 });
});

test("connections have answers of their own", () => {
  const found = trace(puts(1, 700), written, puts(1, 701), inserted(1, 701), inserted(1, 700), written);
  expect(found).toMatchObject({ confirmedCount: 2, earlyCount: 1 });
});

test("a message whose last bytes came after the write is not in it", () => {
  const text = `put 1 0 60 ${BODY.length}\r\n${BODY}\r\n`;
  const parts = [text.slice(0, -2), text.slice(-2)].map(
    (part) => `1 read(${socket(700)}, "${quoted(part)}", 65536) = ${part.length}`,
  );
  expect(trace(parts[0] ?? "", written, parts[1] ?? "", inserted(1))).toMatchObject({ earlyCount: 1 });
});

test("a later write that is synced first leaves what the earlier one has unproved", () => {
  const other = '3 openat(AT_FDCWD, "/d/log/0002.seg", O_WRONLY|O_DSYNC) = 8</d/log/0002.seg>';
  const [begun, ended] = [
    "2 pwrite64(7</d/log/0001.seg>, <unfinished ...>",
    '2 <... pwrite64 resumed>""..., 150, 0) = 150',
  ];
  const second = '3 pwrite64(8</d/log/0002.seg>, ""..., 150, 0) = 150';
  expect(trace(other, puts(1), begun, second, inserted(1), ended)).toMatchObject({ earlyCount: 1 });
  expect(trace(other, puts(1), begun, second, ended, inserted(1))).toMatchObject({ earlyCount: 0 });
});

test("a record that ends with a quote, before the zeros of its block, is no zeros", () => {
  const block = '2 pwrite64(7</d/log/0001.seg>, "\\25a\\"\\0\\0\\0", 150, 0) = 150';
  expect(trace(puts(1), block, inserted(1))).toMatchObject({ confirmedCount: 1, earlyCount: 0, syncCount: 1 });
});

test("what fills a file ahead with zeros has no message, and nobody waits for it", () => {
  const [begun, ended] = [
    '3 pwrite64(7</d/log/0001.seg>, "\\0\\0\\0\\0", 4, 400 <unfinished ...>',
    "3 <... pwrite64 resumed>) = 4",
  ];
  expect(trace(begun, puts(1), written, inserted(1), ended)).toMatchObject({ earlyCount: 0, syncCount: 1 });
  expect(trace(puts(1), begun, ended, inserted(1), written)).toMatchObject({ earlyCount: 1 });
});

test("a write without O_DSYNC is there with the sync that began after it; syncs of small files prove nothing", () => {
  const [log, index] = ["/d/x.log", "/d/x.idx"].map(
    (path, i) => `1 openat(AT_FDCWD, "${path}", O_WRONLY) = ${8 + i}<${path}>`,
  );
  const write = '1 pwrite64(8</d/x.log>, ""..., 150, 0) = 150';
  const note = '1 pwrite64(9</d/x.idx>, ""..., 9, 0) = 9';
  const [sync, syncNote] = ["1 fdatasync(8</d/x.log>) = 0", "1 fdatasync(9</d/x.idx>) = 0"];
  const all = (...rest: readonly string[]) => trace(log ?? "", index ?? "", puts(1), ...rest);
  expect(all(write, sync, inserted(1))).toMatchObject({ earlyCount: 0, syncCount: 1 });
  expect(all(sync, write, inserted(1), sync)).toMatchObject({ earlyCount: 1 });
  const noted = all(write, note, syncNote, inserted(1));
  expect(noted).toMatchObject({ earlyCount: 1, syncCount: 0 });
  expect([...noted.files]).toEqual([["fdatasync of x.idx", 1]]);
});

test("an answer to the last message of NATS's batch confirms as many as it counts", () => {
  const message = (id: string, number: number, reply: string): string => {
    const head = `NATS/1.0\r\nNats-Batch-Id: ${id}\r\nNats-Batch-Sequence: ${number}\r\n\r\n`;
    return `HPUB q ${reply}${head.length} ${head.length + BODY.length}\r\n${head}${BODY}\r\n`;
  };
  const batch = (id: string): string => {
    const text = message(id, 1, "") + message(id, 2, "r ");
    return `1 read(${socket(700)}, "${quoted(text)}", 65536) = ${text.length}`;
  };
  const ack = '{"stream":"q", "seq":2,"batch":"a","count":2}';
  const answer = `MSG r 1 ${ack.length}\r\n${ack}\r\n`;
  const told = `1 write(${socket(700)}, "${quoted(answer).replaceAll('"', '\\"')}", 65) = ${answer.length}`;
  const wire = WIRES.natsBatches as NonNullable<typeof WIRES.natsBatches>;
  const found = (...lines: readonly string[]) => read([opened, ...lines].join("\n"), PORT, wire, 2 * BODY.length);
  expect(found(batch("a"), written, told)).toMatchObject({ cameCount: 2, confirmedCount: 2, earlyCount: 0 });
  expect(found(batch("a"), told, written)).toMatchObject({ cameCount: 2, confirmedCount: 2, earlyCount: 2 });
  expect(found(batch("a"), batch("b"), written, told)).toMatchObject({ cameCount: 4, confirmedCount: 2 });
});

test("RabbitMQ's confirmations of one message and of all up to one are counted once", () => {
  const frame = (kind: number, payload: string): string => {
    const size = String.fromCharCode(0, 0, 0, payload.length);
    return `${String.fromCharCode(kind)}\0\x01${size}${payload}\xce`;
  };
  const octal = (text: string): string =>
    [...text].map((letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, "0")}`).join("");
  const ack = (number: number, isMultiple: boolean): string =>
    frame(1, `\0\x3c\0\x50${"\0".repeat(7)}${String.fromCharCode(number)}${isMultiple ? "\x01" : "\0"}`);
  const came = `AMQP\0\0\x09\x01${frame(3, BODY).repeat(3)}`;
  const answers = ack(2, false) + ack(3, true);
  const lines = [
    opened,
    `1 read(${socket(700)}, "${octal(came)}", 65536) = ${came.length}`,
    written,
    `1 writev(${socket(700)}, [{iov_base="${octal(answers)}", iov_len=${answers.length}}], 1) = ${answers.length}`,
  ];
  const found = read(lines.join("\n"), PORT, WIRES.amqp as NonNullable<typeof WIRES.amqp>, BODY.length);
  expect(found).toMatchObject({ cameCount: 3, confirmedCount: 3, earlyCount: 0 });
});
