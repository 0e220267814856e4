// Whoever has keys that never leave him, and wraps data keys with them: the seam between the broker and a key management.

/** What a key management refuses with, by SQS's names for it. */
export type KeyErrorCode =
  | "KmsAccessDenied"
  | "KmsDisabled"
  | "KmsInvalidKeyUsage"
  | "KmsInvalidState"
  | "KmsNotFound"
  | "KmsOptInRequired"
  | "KmsThrottled"
  | "ServiceUnavailableException"; // nobody answers; clients try again by themselves

/** A key cannot be used now. Nothing has changed, and it may be different later. */
export class KeyError extends Error {
  override name = "KeyError";
  readonly code: KeyErrorCode;

  constructor(code: KeyErrorCode, text: string) {
    super(text);
    this.code = code;
  }
}

/** The first byte of a wrapped data key. */
export const WRAPPED_BY = { keyring: 1, awsKms: 2 } as const;
export const DATA_KEY_BYTES = 32;
export const WRAPPED_BYTES_MAX = 8_192;

export interface GeneratedKey {
  readonly plain: Buffer; // DATA_KEY_BYTES; the receiver's, who overwrites it when it is used no more
  readonly wrapped: Buffer; // at most WRAPPED_BYTES_MAX; all that is needed to have `plain` again
}

/** Both reject with KeyError, also when nobody answers in time. */
export interface KeyProvider {
  /** @param keyId as in KmsMasterKeyId: a key's ID, its ARN, an alias or an alias' ARN. @param account of the queue */
  generate(keyId: string, account: string, queueArn: string): Promise<GeneratedKey>;
  unwrap(wrapped: Uint8Array): Promise<Buffer>;
}
