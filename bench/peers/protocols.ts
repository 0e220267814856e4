// The drivers by their protocols' names.
import type { Driver } from "./driver.ts";
import { amqp } from "./drivers/amqp.ts";
import { beanstalk } from "./drivers/beanstalk.ts";
import { http, httpQuery } from "./drivers/http.ts";
import { nats, natsBatches } from "./drivers/nats.ts";
import { redis } from "./drivers/redis.ts";
import { stream } from "./drivers/stream.ts";

export const DRIVERS = { stream, http, httpQuery, redis, nats, natsBatches, amqp, beanstalk } as const satisfies Record<
  string,
  Driver
>;
export type Protocol = keyof typeof DRIVERS;
