// What recovery.test.ts shows of a log that is not encrypted, once more for one that is.
import { encryptLogs } from "../support/log-workload.ts";

encryptLogs();
await import("./recovery.test.ts");
