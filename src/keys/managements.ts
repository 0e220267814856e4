// The key management that wraps, and the one that has wrapped before: who changes from one to the other keeps both in reach.
import { type AwsKms, queueArnOf } from "./aws-kms.ts";
import { keyIdOf } from "./keyring.ts";
import { type GeneratedKey, KeyError, type KeyProvider, WRAPPED_BY } from "./provider.ts";

/** A key was asked for; for an audit log. */
export interface KeyUse {
  readonly action: "GenerateDataKey" | "Decrypt";
  readonly key: string; // as the queue names it, or the keyring's ID; "" where only the KMS knows
  readonly resource: string; // the queue's ARN; "" where it is not known
  readonly code: string; // "" when it was given
}

export class KeyManagements implements KeyProvider {
  readonly #keyring: KeyProvider;
  readonly #awsKms: AwsKms | undefined;
  readonly #onUse: (use: KeyUse) => void;

  /** @param awsKms wraps, when it is there; the keyring does otherwise */
  constructor(keyring: KeyProvider, awsKms: AwsKms | undefined, onUse: (use: KeyUse) => void) {
    this.#keyring = keyring;
    this.#awsKms = awsKms;
    this.#onUse = onUse;
  }

  generate(keyId: string, account: string, queueArn: string): Promise<GeneratedKey> {
    const asked = (this.#awsKms ?? this.#keyring).generate(keyId, account, queueArn);
    return this.#told(asked, { action: "GenerateDataKey", key: keyId, resource: queueArn });
  }

  unwrap(wrapped: Uint8Array): Promise<Buffer> {
    const isAws = wrapped[0] === WRAPPED_BY.awsKms;
    const resource = queueArnOf(wrapped) ?? "";
    const asked = isAws ? this.#unwrapByAws(wrapped) : this.#keyring.unwrap(wrapped);
    return this.#told(asked, { action: "Decrypt", key: keyIdOf(wrapped) ?? "", resource });
  }

  async #unwrapByAws(wrapped: Uint8Array): Promise<Buffer> {
    if (this.#awsKms !== undefined) return this.#awsKms.unwrap(wrapped);
    throw new KeyError(
      "KmsInvalidState",
      "The message's data key was wrapped by a KMS that is not configured: the broker runs without --kms aws.",
    );
  }

  async #told<Answer>(asked: Promise<Answer>, use: Omit<KeyUse, "code">): Promise<Answer> {
    try {
      const answer = await asked;
      this.#onUse({ ...use, code: "" });
      return answer;
    } catch (error) {
      this.#onUse({ ...use, code: error instanceof KeyError ? error.code : "KmsAccessDenied" });
      throw error;
    }
  }
}
