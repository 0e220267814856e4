// beanstalkd: puts in a pipeline; a consumer reserves a run of jobs at once and deletes them with the next run's reserves,
// because a waiting reserve holds up whatever comes behind it on its connection.
import type { Socket } from "node:net";
import { bodyText, CR, type Driver, decimal, dial, gathered, Repeater, STAMP_BYTES } from "../driver.ts";

const RUN_COUNT_MAX = 100;
const ASK_NOW = Buffer.from("reserve-with-timeout 0\r\n");
const ASK = Buffer.from("reserve\r\n");
const LETTER = { I: 0x49, R: 0x52, D: 0x44, T: 0x54, U: 0x55, W: 0x57 };

export const beanstalk: Driver = {
  unit: () => 1,

  prepare: async () => {}, // a tube is there as soon as it is used

  async producer({ port, queue, bodyBytes }, confirmed) {
    let count = 0;
    const take = gathered((bytes) => {
      let at = 0;
      for (;;) {
        const end = bytes.indexOf(CR, at);
        if (end === -1 || end + 2 > bytes.byteLength) return at;
        if (bytes[at] === LETTER.I) count++;
        else if (bytes[at] !== LETTER.U) throw new Error(bytes.toString("latin1", at, end));
        at = end + 2;
      }
    });
    const socket = await dial(port, (data) => {
      count = 0;
      take(data);
      if (count > 0) confirmed(count);
    });
    socket.write(`use ${queue}\r\n`);
    const body = bodyText(bodyBytes);
    const head = `put 1024 0 600 ${bodyBytes}\r\n`;
    const repeater = new Repeater(() => Buffer.from(`${head}${bodyText(bodyBytes)}\r\n`, "latin1"));
    return {
      send(howMany, stamp) {
        if (stamp === undefined) repeater.write(socket, howMany);
        else socket.write(`${head}${stamp}${body.slice(STAMP_BYTES)}\r\n`, "latin1");
      },
    };
  },

  async consumer({ port, queue, inFlight, isPaced }, on) {
    const runCount = Math.min(inFlight, RUN_COUNT_MAX);
    const run = Buffer.concat(Array.from({ length: runCount }, () => ASK_NOW));
    let outstanding = 0; // reserves without an answer
    let taken = 0; // of this run
    let deletes: string[] = [];
    let socket: Socket;
    const next = (): void => {
      if (outstanding > 0) return;
      const text = Buffer.from(deletes.join(""), "latin1");
      // When nothing was there one waits; else a run follows.
      const asks = taken === 0 ? ASK : run;
      outstanding = taken === 0 ? 1 : runCount;
      taken = 0;
      deletes = [];
      socket.write(Buffer.concat([text, asks]));
    };
    const take = gathered((bytes) => {
      let at = 0;
      for (;;) {
        const end = bytes.indexOf(CR, at);
        if (end === -1 || end + 2 > bytes.byteLength) return at;
        let after = end + 2;
        if (bytes[at] === LETTER.R) {
          const space = bytes.lastIndexOf(0x20, end);
          const size = decimal(bytes, space + 1, end);
          if (after + size + 2 > bytes.byteLength) return at;
          deletes.push(`delete ${bytes.toString("latin1", at + 9, space)}\r\n`);
          if (isPaced) on.stamp(bytes.toString("latin1", after, after + STAMP_BYTES));
          after += size + 2;
          taken++;
          outstanding--;
          on.delivered(1);
        } else if (bytes[at] === LETTER.T) outstanding--;
        else if (bytes.toString("latin1", at, at + 3) === "DEL") on.settled(1);
        else if (bytes[at] !== LETTER.W) throw new Error(bytes.toString("latin1", at, end));
        at = after;
      }
    });
    socket = await dial(port, (data) => {
      take(data);
      next();
    });
    socket.write(`watch ${queue}\r\n`);
    next();
    return [socket];
  },
};
