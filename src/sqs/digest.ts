// The MD5s that SDKs check answers with: lower-case hex over UTF-8.

import { hash } from "node:crypto";

export function md5(data: string | Uint8Array): string {
  return hash("md5", data, "hex");
}
