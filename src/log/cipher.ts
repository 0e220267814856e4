// What encrypts a log's bytes, as the log sees it: it knows positions and salts, neither keys nor algorithms.

export interface LogCipher {
  /** A key for a log that has none yet, in the form in which the manifest keeps it. */
  makeKey(logId: string): string;
  /** @throws when it cannot be opened: the text says which key was tried, and nothing has been changed */
  openKey(sealedKey: string, logId: string): LogKey;
}

export interface LogKey {
  /** 32 hex digits that were never had before. */
  newSalt(): string;
  /** The keystream under this salt; it can be entered at any position. */
  keystream(salt: string): KeystreamAt;
}

export type KeystreamAt = (position: number) => Keystream;

/**
 * @returns `bytes` with the keystream laid over them, in a place of their own, which the caller may free; the next call goes
 * on where this one ended
 */
export type Keystream = (bytes: Uint8Array) => Uint8Array;
