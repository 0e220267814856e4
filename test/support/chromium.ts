// A real browser without a window: Debian's Chromium, installed if the machine lets us.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { execute, Missing } from "./clients.ts";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const INSTALL_MS = 240_000;
/** It is to talk to nobody but the test. */
const FLAGS = [
  "--no-sandbox", // it does not run as root otherwise
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-features=LocalNetworkAccessChecks", // a page that the test answers for counts as one from outside
];

/** Throws `Missing` where there is none, and none can be installed. */
export async function launchChromium(): Promise<Awaited<ReturnType<typeof chromium.launch>>> {
  return chromium.launch({ executablePath: await chromiumPath(), headless: true, args: FLAGS });
}

async function chromiumPath(): Promise<string> {
  const found = PATHS.find((path) => existsSync(path));
  if (found !== undefined) return found;
  try {
    if (process.getuid?.() !== 0) throw new Error("not root, so it is not installed");
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await execute("apt-get", ["update", "-qq"], { env, timeoutMs: INSTALL_MS });
    await execute("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], {
      env,
      timeoutMs: INSTALL_MS,
    });
    return PATHS[0] as string;
  } catch (error) {
    throw new Missing(`Chromium (${String(error).trim().split("\n")[0]})`);
  }
}
