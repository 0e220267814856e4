// Everybody who is measured, in the order of the tables.
import type { Peer } from "./server.ts";
import { bareHttp, bareStream } from "./servers/bare.ts";
import { beanstalkd } from "./servers/beanstalkd.ts";
import { natsAlways, natsBatches, natsDefault } from "./servers/nats.ts";
import { rabbitmq } from "./servers/rabbitmq.ts";
import { redisStreams } from "./servers/redis.ts";
import { elasticmq, goaws, moto } from "./servers/sqs-alikes.ts";
import { wasqHttp, wasqStream } from "./servers/wasq.ts";

export const PEERS: readonly Peer[] = [
  wasqStream,
  bareStream,
  redisStreams,
  natsAlways,
  natsBatches,
  natsDefault,
  rabbitmq,
  beanstalkd,
  wasqHttp,
  bareHttp,
  elasticmq,
  goaws,
  moto,
];
