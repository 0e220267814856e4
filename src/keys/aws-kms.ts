// Keys of a KMS that speaks AWS's API. They never come here: the KMS is asked to make data keys, and to unwrap them.
//
// A wrapped data key, little-endian:
//        0     1  2: by such a KMS           1     1  version 1
//        2     2  size of the ARN            4     n  ARN of the queue it was made for: the encryption context
//      4+n        the KMS's ciphertext, which names its key
import type { KMSClient } from "@aws-sdk/client-kms";
import {
  DATA_KEY_BYTES,
  type GeneratedKey,
  KeyError,
  type KeyErrorCode,
  type KeyProvider,
  WRAPPED_BY,
  WRAPPED_BYTES_MAX,
} from "./provider.ts";

const VERSION = 1;
const HEAD_BYTES = 4;
/** What SQS calls the queue's ARN in an encryption context; a key's policy may ask for it. */
const CONTEXT_NAME = "aws:sqs:arn";

const CONNECT_MS = 1_000;
const REQUEST_MS = 3_000;
const ATTEMPT_COUNT_MAX = 2;
/** All attempts, the waits between them and the search for credentials. */
const ANSWER_MS = 8_000;

export interface AwsKmsOptions {
  readonly endpoint: string | undefined; // undefined: AWS's own of the region
  readonly region: string;
}

/** What is not here is an access that the KMS denies, unless it did not answer at all. */
const CODES: Readonly<Record<string, KeyErrorCode>> = {
  DisabledException: "KmsDisabled",
  InvalidKeyUsageException: "KmsInvalidKeyUsage",
  KMSInvalidStateException: "KmsInvalidState",
  InvalidStateException: "KmsInvalidState",
  InvalidCiphertextException: "KmsInvalidState",
  IncorrectKeyException: "KmsInvalidState",
  NotFoundException: "KmsNotFound",
  InvalidArnException: "KmsNotFound",
  ValidationException: "KmsNotFound", // of a name that no key can have
  OptInRequired: "KmsOptInRequired",
  OptInRequiredException: "KmsOptInRequired",
  ThrottlingException: "KmsThrottled",
  LimitExceededException: "KmsThrottled",
  TooManyRequestsException: "KmsThrottled",
};

type Sdk = typeof import("@aws-sdk/client-kms");

export class AwsKms implements KeyProvider {
  readonly #sdk: Sdk;
  readonly #client: KMSClient;

  private constructor(sdk: Sdk, { endpoint, region }: AwsKmsOptions) {
    this.#sdk = sdk;
    this.#client = new sdk.KMSClient({
      region,
      maxAttempts: ATTEMPT_COUNT_MAX,
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
      ...(endpoint === undefined ? {} : { endpoint }),
    });
  }

  /** Asks nobody yet: a start needs no KMS. Whoever does without one does not pay for its client. */
  static async load(options: AwsKmsOptions): Promise<AwsKms> {
    return new AwsKms(await import("@aws-sdk/client-kms"), options);
  }

  async generate(keyId: string, _account: string, queueArn: string): Promise<GeneratedKey> {
    const { GenerateDataKeyCommand } = this.#sdk;
    const EncryptionContext = { [CONTEXT_NAME]: queueArn };
    const command = new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: "AES_256", EncryptionContext });
    const { Plaintext, CiphertextBlob } = await answered((abortSignal) => this.#client.send(command, { abortSignal }));
    const plain = dataKey(Plaintext);
    const context = Buffer.from(queueArn);
    const head = Buffer.from([WRAPPED_BY.awsKms, VERSION, 0, 0]);
    head.writeUInt16LE(context.byteLength, 2);
    const wrapped = Buffer.concat([head, context, CiphertextBlob ?? Buffer.alloc(0)]);
    if (CiphertextBlob === undefined || wrapped.byteLength > WRAPPED_BYTES_MAX) {
      throw unanswered(`its ciphertext has ${CiphertextBlob?.byteLength ?? 0} bytes`);
    }
    return { plain, wrapped };
  }

  async unwrap(wrapped: Uint8Array): Promise<Buffer> {
    const queueArn = queueArnOf(wrapped);
    if (queueArn === undefined) {
      throw new KeyError("KmsInvalidState", "The message's data key was wrapped by another key management.");
    }
    const { DecryptCommand } = this.#sdk;
    const CiphertextBlob = wrapped.subarray(HEAD_BYTES + Buffer.byteLength(queueArn));
    const command = new DecryptCommand({ CiphertextBlob, EncryptionContext: { [CONTEXT_NAME]: queueArn } });
    const { Plaintext } = await answered((abortSignal) => this.#client.send(command, { abortSignal }));
    return dataKey(Plaintext);
  }

  close(): void {
    this.#client.destroy();
  }
}

/** The queue that a data key was made for; undefined when no such KMS has wrapped it. */
export function queueArnOf(wrapped: Uint8Array): string | undefined {
  const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength);
  if (bytes.byteLength < HEAD_BYTES || bytes[0] !== WRAPPED_BY.awsKms || bytes[1] !== VERSION) return undefined;
  const end = HEAD_BYTES + bytes.readUInt16LE(2);
  return end < bytes.byteLength ? bytes.toString("utf8", HEAD_BYTES, end) : undefined;
}

/** The same bytes: whoever overwrites them leaves no copy. */
function dataKey(plaintext: Uint8Array | undefined): Buffer {
  if (plaintext?.byteLength === DATA_KEY_BYTES) {
    return Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  }
  throw unanswered(`its data key has ${plaintext?.byteLength ?? 0} bytes, and ${DATA_KEY_BYTES} are needed`);
}

/** @throws KeyError */
async function answered<Answer>(ask: (abortSignal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  // Raced, and not left to the signal alone: what looks for credentials does not heed it.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing came within ${ANSWER_MS / 1000} seconds`));
      ending.abort();
    }, ANSWER_MS);
  });
  try {
    return await Promise.race([ask(ending.signal), late]);
  } catch (error) {
    throw asKeyError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** What the SDK adds to its errors. */
interface SdkError extends Error {
  readonly code?: unknown; // the system's, of a connection
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
}

function asKeyError(thrown: unknown): KeyError {
  const error: SdkError = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { httpStatusCode: status, requestId } = error.$metadata ?? {};
  if (error.name === "CredentialsProviderError") {
    return new KeyError("KmsAccessDenied", `There are no credentials for the key management: ${error.message}`);
  }
  if (status === undefined) return unanswered(typeof error.code === "string" ? error.code : error.message);
  if (status >= 500) return unanswered(`${error.name}, status ${status}`);
  const code = status === 429 ? "KmsThrottled" : (CODES[error.name] ?? "KmsAccessDenied");
  const request = requestId === undefined ? "" : `; Request ID: ${requestId}`;
  const service = `(Service: AWSKMS; Status Code: ${status}; Error Code: ${error.name}${request})`;
  return new KeyError(code, `${error.message} ${service}`);
}

/** A client tries again by itself: it may be different in a moment. */
function unanswered(why: string): KeyError {
  return new KeyError("ServiceUnavailableException", `The key management does not answer as it should: ${why}`);
}
