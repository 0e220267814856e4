// What local-log.test.ts, append-faults.test.ts and crash.test.ts show of a log that is not encrypted, once more for one that is.
import { encryptLogs } from "../support/log-workload.ts";

encryptLogs();
await import("./local-log.test.ts");
await import("./append-faults.test.ts");
await import("./crash.test.ts");
