// The only file that knows every room: builds them, hands them to one another, starts and stops them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { Audit } from "./audit/audit.ts";
import { AuditFile } from "./audit/audit-file.ts";
import { IdentitiesError } from "./auth/identities.ts";
import type { Clock } from "./base/clock.ts";
import { type OpenedBroker, openBroker } from "./broker/open.ts";
import { readCommand, USAGE, UsageError } from "./cli/command.ts";
import { KeysError } from "./cli/identities.ts";
import { KEYS_USAGE } from "./cli/keys.ts";
import { readKeysCommand, runIdentities } from "./cli/keys-command.ts";
import { KMS_USAGE } from "./cli/kms.ts";
import { MASTER_KEY_USAGE, readMasterKeyCommand, runMasterKey } from "./cli/master-key.ts";
import { ROLES_USAGE } from "./cli/roles.ts";
import { runCommand } from "./cli/run.ts";
import { type Config, ConfigError, dataDirectoryOf, HELP, readConfig, readIdentitiesAgain } from "./config/config.ts";
import { Entrance } from "./entrance.ts";
import { AwsKms } from "./keys/aws-kms.ts";
import { KeyringError } from "./keys/keyring.ts";
import { KeyManagements } from "./keys/managements.ts";
import { LogError } from "./log/errors.ts";
import { openLog } from "./log/local-log.ts";
import { NodeDisk } from "./log/node-disk.ts";
import { loadUws } from "./net/addon.ts";
import { healthRoutes } from "./net/health.ts";
import { listen, type Server } from "./net/http.ts";
import { Origins } from "./net/origins.ts";
import { PageGuard } from "./net/pages.ts";
import { checkTls, TlsError, type TlsFiles } from "./net/tls.ts";
import { type StreamServer, serveStreams } from "./net/websocket.ts";
import { whoOf } from "./sqs/audited.ts";
import { checkDeclaredQueue, declareQueues } from "./sqs/declared-queues.ts";
import { createDirect } from "./sqs/direct.ts";
import type { Handle, SqsRequest } from "./sqs/exchange.ts";
import { createSqs } from "./sqs/index.ts";
import { parseQueueUrl } from "./sqs/names.ts";
import { peekRoutes } from "./sqs/peek.ts";
import { StreamGate } from "./sqs/stream-gate.ts";
import { StreamHub } from "./stream/hub.ts";
import { createSts, isSts } from "./sts/index.ts";
import { bootstrapRoot } from "./vault/bootstrap.ts";
import { WatchedKeyring } from "./vault/keyring-file.ts";
import { createLogCipher, type MasterKeySource } from "./vault/log-cipher.ts";
import { MasterKeyError, masterKeyPlace, obtainMasterKey, readMasterKey } from "./vault/master-key.ts";
import { watchFiles } from "./vault/watch.ts";

declare const WASQ_VERSION: string; // put in by the bundler

/** Ctrl-C in a terminal arrives from the terminal and again from each program between it and us: that is one signal. */
const SAME_SIGNAL_MS = 1_000;
/** How long certificate and key may be apart when they are replaced. */
const TLS_SETTLED_MS = 300;
const AUDIT_FLUSH_MS = 60_000;

interface Parts {
  readonly coreWasm: Uint8Array;
  readonly addon: Uint8Array | undefined;
}

/** The core and the addon: from inside the executable, or beside the bundle. */
function loadParts(): Parts {
  const sea: typeof import("node:sea") = createRequire(__filename)("node:sea");
  if (sea.isSea()) {
    return { coreWasm: new Uint8Array(sea.getAsset("core.wasm")), addon: new Uint8Array(sea.getAsset("uws.node")) };
  }
  return { coreWasm: readFileSync(join(__dirname, "core.wasm")), addon: undefined };
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Told to whoever watches the process. */
function onNote(text: string): void {
  process.stderr.write(`${text}\n`);
}

function stop(text: string, code: number): never {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

/** What is ours to explain is explained; anything else shows where it came from. */
function explain(error: unknown): string {
  const isOurs = [LogError, IdentitiesError, KeyringError, MasterKeyError, KeysError, ConfigError, TlsError].some(
    (kind) => error instanceof kind,
  );
  if (isOurs) return (error as Error).message;
  if (error instanceof Error)
    return error.message.startsWith("Cannot") ? error.message : (error.stack ?? error.message);
  return String(error);
}

/** Signatures and policies are checked once there are keys. Whoever can be reached must have some, or say why not. */
function openEntrance(config: Config, clock: Clock, audit: Audit | undefined, keyring: WatchedKeyring): Entrance {
  const { dataDirectory, account, region: defaultRegion } = config;
  if (config.bootstrapRoot) bootstrap(config);
  const entrance = new Entrance({
    dataDirectory,
    declared: config.identities,
    audit,
    requestsPerSecond: config.principalRequestsPerSecond,
    requestsAtOnce: config.principalRequests,
    keyNames: config.kms === undefined ? keyring : undefined,
    declareAgain: () => readIdentitiesAgain(config, process.env),
    onNote,
    env: environmentOf(config),
    clock,
    defaults: { account, defaultRegion },
    onTrouble: (error) => onNote(`The keys stay as they were: ${explain(error)}`),
  });
  if (entrance.gate.isChecked || !config.isExposed || config.insecureNoAuth) return entrance;
  entrance.close();
  throw new KeysError(
    `Cannot listen on ${config.host} without keys: other machines could read, send and delete everything. ` +
      `Make one: wasq keys create root --data-dir ${dataDirectory}; or let --bootstrap-root make one; ` +
      "or set WASQ_ROOT_ACCESS_KEY_ID and WASQ_ROOT_SECRET_ACCESS_KEY; or listen on 127.0.0.1; " +
      "or add --insecure-no-auth if that is what you want",
  );
}

/** A key of one's own to begin with; whoever has keys in any other way needs none. */
function bootstrap(config: Config): void {
  const { dataDirectory, account, identities } = config;
  if (identities.users.some(({ keys }) => keys.length > 0)) return;
  const path = bootstrapRoot(dataDirectory, account, environmentOf(config), Date.now());
  if (path !== undefined) say(`A key for the root of account ${account} has been made. It is in ${resolve(path)}`);
}

interface OpenedAudit {
  readonly audit: Audit;
  close(): Promise<void>;
}

function openAudit(path: string, clock: Clock): OpenedAudit {
  const file = new AuditFile(path, onNote);
  const audit = new Audit(file, clock);
  const flushing = setInterval(() => audit.flush(), AUDIT_FLUSH_MS).unref();
  const close = (): Promise<void> => {
    clearInterval(flushing);
    audit.flush();
    return file.close();
  };
  return { audit, close };
}

/** A page is nobody's request yet. */
function pageRefused(audit: Audit): (request: SqsRequest, problem: string) => void {
  return (request, text) =>
    audit.refused(whoOf(request), { api: "page", action: "", resource: "", code: "AccessDeniedException", text });
}

/** What the vault goes by: the environment, and a file for the master key that was named in another way. */
function environmentOf({ masterKeyFile }: Config): NodeJS.ProcessEnv {
  return masterKeyFile === undefined ? process.env : { ...process.env, WASQ_MASTER_KEY_FILE: masterKeyFile };
}

function masterKeyOf(config: Config): MasterKeySource {
  const { dataDirectory } = config;
  const env = environmentOf(config);
  return {
    read: () => readMasterKey(dataDirectory, env),
    obtain: () => obtainMasterKey(dataDirectory, env),
    place: masterKeyPlace(dataDirectory, env),
  };
}

function welcome(config: Config, server: Server, isChecked: boolean): void {
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const endpoint = `${config.tls === undefined ? "http" : "https"}://${host}:${server.port}`;
  const credentials = isChecked ? "" : "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x ";
  const aws = `${credentials}aws --region ${config.region} --endpoint-url ${endpoint} sqs`;
  say(`wasq ${WASQ_VERSION} at ${endpoint}, data in ${resolve(config.dataDirectory)}`);
  say(`${isChecked ? "Signatures are checked." : "Any credentials are accepted."} To try it with the AWS CLI:`);
  say(`  ${aws} create-queue --queue-name hello`);
  say(`  ${aws} send-message --queue-url ${endpoint}/${config.account}/hello --message-body hi`);
  say(`  ${aws} receive-message --queue-url ${endpoint}/${config.account}/hello`);
}

async function serve(config: Config): Promise<void> {
  for (const note of config.notes) onNote(note);
  const parts = loadParts();
  const uws = loadUws(join(__dirname, "..", "..", "node_modules"), parts.addon);
  const onFault = (error: unknown) => process.stderr.write(`A request failed: ${explain(error)}\n`);
  const keyring = new WatchedKeyring(
    config.dataDirectory,
    () => masterKeyOf(config).obtain(),
    (error) => onNote(`The keyring stays as it was: ${explain(error)}`),
  );
  const awsKms = config.kms === undefined ? undefined : await AwsKms.load(config.kms);
  let audit: OpenedAudit | undefined;
  const opened = await openBroker({
    keyProvider: new KeyManagements(keyring, awsKms, (use) => audit?.audit.keyAsked(use)),
    coreWasm: parts.coreWasm,
    openLog: (codec, segmentBytes) => {
      const encryption = { cipher: createLogCipher(masterKeyOf(config)), isOn: config.encryptionAtRest };
      return openLog(new NodeDisk(config.dataDirectory), { codec, segmentBytes, onNote, encryption });
    },
    onFatal: (error) => stop(`The broker stops: ${explain(error)}`, 1),
    onFault,
  });
  const { account, region: defaultRegion, awsWaits, autoCreateQueues, publicUrl } = config;
  let entrance: Entrance | undefined;
  const hub = new StreamHub(opened.streams, {
    clock: opened.clock,
    serverVersion: WASQ_VERSION,
    nameOf: (text, caller) => parseQueueUrl(text, caller.account, caller.region),
    sessionsPerCallerMax: config.principalStreams,
    onFault,
  });
  const origins = new Origins(config.allowOrigins);
  let streams: StreamServer | undefined;
  let server: Server;
  try {
    if (config.auditLog !== undefined) audit = openAudit(config.auditLog, opened.clock);
    entrance = openEntrance(config, opened.clock, audit?.audit, keyring);
    const { gate } = entrance;
    const streamGate = new StreamGate({
      gate,
      clock: opened.clock,
      audit: audit?.audit,
    });
    const scheme = config.tls === undefined ? "http" : "https";
    const extend = (app: Parameters<typeof serveStreams>[0]): void => {
      streams?.close(); // of an earlier certificate: its connections go on, and one of them ticks for all
      streams = serveStreams(app, { hub, origins, gate: streamGate, scheme });
    };
    entrance.onChange((event) => {
      if (event === "renewed") {
        hub.recheck();
        return;
      }
      onNote("There are keys now: signatures are checked from here on");
      hub.endAll("Signatures are checked from now on");
    });
    const sqs = {
      account,
      defaultRegion,
      clock: opened.clock,
      awsWaits,
      autoCreateQueues,
      publicUrl,
      gate,
      audit: audit?.audit,
      onFault,
    };
    const direct = createDirect(opened.broker, opened.direct, sqs);
    const handleSqs = createSqs(opened.broker, sqs);
    const handleSts = createSts({
      account,
      clock: opened.clock,
      checks: () => entrance?.checks,
      audit: audit?.audit,
      onFault,
    });
    const handle: Handle = (request, answer) => (isSts(request) ? handleSts : handleSqs)(request, answer);
    await declareQueues(opened.broker, config.queues, onNote);
    const health = healthRoutes({ version: WASQ_VERSION, trouble: () => opened.trouble() });
    const routes = [...health, ...peekRoutes(opened.broker, sqs)];
    const pages = new PageGuard({ origins, publicUrl, isLocal: !config.isExposed });
    const { host, port } = config;
    const isChecked = () => gate.isChecked;
    const limits = { connectionCountMax: config.maxConnections, origins };
    const audited = audit === undefined ? {} : { withHeaders: true, onPageRefused: pageRefused(audit.audit) };
    if (config.tls !== undefined) checkTls(config.tls, opened.clock.nowMs()).forEach(onNote);
    server = await listen({
      uws,
      tls: config.tls,
      host,
      port,
      handle,
      direct,
      routes,
      isChecked,
      pages,
      extend,
      ...limits,
      ...audited,
    });
    origins.listening(config.host, server.port);
    if (config.tls !== undefined) watchTls(config.tls, server, opened.clock);
  } catch (error) {
    entrance?.close();
    await audit?.close();
    await opened.close();
    throw error;
  }
  stopOnSignals(opened, server, hub, streams, audit);
  welcome(config, server, entrance.gate.isChecked);
}

/** The pair is replaced file by file: it is looked at when both have had their time. */
function watchTls(tls: TlsFiles, server: Server, clock: Clock): void {
  const renew = (): void => {
    try {
      checkTls(tls, clock.nowMs()).forEach(onNote);
      server.renewTls();
      onNote(`New connections get the certificate that is in ${tls.certPath} now`);
    } catch (error) {
      onNote(`The certificate stays as it was: ${explain(error)}`);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  watchFiles([tls.certPath, tls.keyPath], () => {
    clearTimeout(timer);
    timer = setTimeout(renew, TLS_SETTLED_MS);
  });
}

function stopOnSignals(
  opened: OpenedBroker,
  server: Server,
  hub: StreamHub,
  streams: StreamServer | undefined,
  audit: OpenedAudit | undefined,
): void {
  let stoppingSinceMs: number | undefined;
  const end = async (): Promise<void> => {
    opened.answerWaiting();
    await hub.stop("The server stops");
    streams?.close();
    const closed = server.close();
    await opened.flush();
    await closed;
    await opened.close();
    await audit?.close();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stoppingSinceMs !== undefined) {
        if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
        return;
      }
      stoppingSinceMs = performance.now();
      end().catch((error: unknown) => stop(`The broker stops: ${explain(error)}`, 1));
    });
  }
}

/** Whoever read what we say has gone: that is no reason for a broker to stop. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

async function main(): Promise<void> {
  outliveReaders();
  let config: Config;
  try {
    const keys = readKeysCommand(process.argv.slice(2), { dataDirectory: dataDirectoryOf(process.env) });
    if (keys !== undefined) {
      process.stdout.write(runIdentities(keys, process.env, Date.now()));
      return;
    }
    const change = readMasterKeyCommand(process.argv.slice(2), { dataDirectory: dataDirectoryOf(process.env) });
    if (change !== undefined) {
      const lock = () => new NodeDisk(change.dataDirectory).lock();
      process.stdout.write(await runMasterKey(change, process.env, Date.now(), lock));
      return;
    }
    const command = readCommand(process.argv.slice(2), process.env);
    if (command !== undefined) process.exit(await runCommand(command, WASQ_VERSION));
    config = readConfig(process.argv.slice(2), process.env, checkDeclaredQueue);
  } catch (error) {
    const isUsage = error instanceof ConfigError || error instanceof UsageError;
    if (isUsage) stop(`${error.message}\n\nwasq --help tells more`, 2);
    throw error;
  }
  if (config.command === "help")
    process.stdout.write(`${HELP}\n${USAGE}${KEYS_USAGE}${ROLES_USAGE}${KMS_USAGE}${MASTER_KEY_USAGE}`);
  else if (config.command === "version") say(WASQ_VERSION);
  else await serve(config);
}

main().catch((error: unknown) => stop(explain(error), 1));
