// Queue names, URLs and ARNs.

import { queueArn } from "../base/arn.ts";
import type { QueueName } from "../broker/types.ts";

/**
 * A queue is named by the end of its URL's path; host, port and scheme do not matter. Taken are
 *
 *   <any origin>/<account>/<name>                    what the service and this broker give out; also the bare path
 *   <any origin>/queue/<name>                        another server's form: the caller's account
 *   <any origin>/queue/<region>/<account>/<name>     another server's form: that region
 *   <name>                                           the caller's account and region
 *
 * each with or without one slash at the end. @returns undefined for what names no queue
 */
export function parseQueueUrl(url: string, account: string, region: string): QueueName | undefined {
  const end = url.endsWith("/") ? url.length - 1 : url.length;
  const nameSlash = url.lastIndexOf("/", end - 1);
  const name = url.slice(nameSlash + 1, end);
  if (name === "") return undefined;
  if (nameSlash === -1) return { account, region, name };

  const accountSlash = nameSlash === 0 ? -1 : url.lastIndexOf("/", nameSlash - 1);
  const owner = url.slice(accountSlash + 1, nameSlash);
  if (owner === "queue") return { account, region, name };

  const marker = accountSlash > 0 ? url.lastIndexOf("/queue/", accountSlash - 1) : -1;
  if (marker !== -1) {
    const urlRegion = url.slice(marker + "/queue/".length, accountSlash);
    if (urlRegion !== "" && !urlRegion.includes("/")) return { account: owner, region: urlRegion, name };
  }
  return { account: owner, region, name };
}

const HOST_COUNT_MAX = 255;
const REGIONAL_HOST =
  /^(?:[^/:]*\.)?(?:sqs(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})|([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\.queue)\./;

/** @returns the region in `sqs.<region>.<domain>` and `<region>.queue.<domain>`, undefined for any other host */
export function regionOfHost(host: string): string | undefined {
  const match = REGIONAL_HOST.exec(host.slice(0, HOST_COUNT_MAX));
  return match?.[1] ?? match?.[2];
}

/** @returns what stands between `//` and the path, "" for a bare name or path */
export function hostOfUrl(url: string): string {
  const start = url.indexOf("//") + 2;
  if (start === 1) return "";
  const end = url.indexOf("/", start);
  return url.slice(start, end === -1 ? url.length : end);
}

/** Whether a request's path is a queue's: as above, without origin and never bare. */
export function isQueuePath(path: string): boolean {
  const segments = path.split("/"); // the first one is empty
  if (segments.at(-1) === "") segments.pop();
  if (segments.includes("", 1)) return false;
  return segments.length === 3 || (segments.length === 5 && segments[1] === "queue");
}

export function arnOf(queue: QueueName): string {
  return queueArn(queue.region, queue.account, queue.name);
}

const STANDARD_NAME = /^[A-Za-z0-9_-]{1,80}$/;
const FIFO_NAME = /^[A-Za-z0-9_-]{1,75}\.fifo$/; // the suffix counts towards 80

export function isStandardName(name: string): boolean {
  return STANDARD_NAME.test(name);
}

export function isFifoName(name: string): boolean {
  return FIFO_NAME.test(name);
}
