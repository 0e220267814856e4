// One benchmark at a time on a machine: two would measure each other. The name of an abstract socket is held, which the
// kernel gives back whatever way the process ends.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";

const NAME = "\0wasq-bench-peers";

/**
 * @param about of this process, for the other that comes meanwhile
 * @param name  of what is held
 * @returns undefined once it is held until this process ends; else what the one that has it said of itself
 */
export async function holdAlone(about: string, name = NAME): Promise<string | undefined> {
  const server = createServer((socket) => {
    socket.on("error", () => {}); // it does not want to know any more
    socket.end(about);
  });
  try {
    server.listen(name);
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return text(connect(name)).catch(() => "one that is about to end");
  }
  server.unref();
  return undefined;
}
