// The certificate and the key that HTTPS and WSS are served with: looked at before they are used, for the socket library
// says only that something was wrong.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

export interface TlsFiles {
  readonly certPath: string; // PEM: the server's own first, then those between it and a root
  readonly keyPath: string; // PEM, not encrypted
}

/** The pair cannot be served with; the text says which file, and why. */
export class TlsError extends Error {
  override name = "TlsError";
}

const BYTES_MAX = 1024 * 1024;

/** @returns what an operator should know of the pair, a sentence each. @throws TlsError when it cannot be used */
export function checkTls({ certPath, keyPath }: TlsFiles, nowMs: number): readonly string[] {
  const certificate = parsed(certPath, "a certificate in PEM", (text) => new X509Certificate(text));
  const key = parsed(keyPath, "a private key in PEM, without a passphrase", readKey);
  if (!certificate.checkPrivateKey(key)) {
    throw new TlsError(`Cannot serve TLS: the key in ${keyPath} does not fit the certificate in ${certPath}`);
  }
  const notes: string[] = [];
  if (Date.parse(certificate.validTo) < nowMs) {
    notes.push(`The certificate in ${certPath} has expired: it was valid until ${certificate.validTo}`);
  }
  if (Date.parse(certificate.validFrom) > nowMs) {
    notes.push(`The certificate in ${certPath} is not valid yet: it is from ${certificate.validFrom} on`);
  }
  return notes;
}

function readKey(text: string): KeyObject {
  return createPrivateKey(text);
}

function parsed<T>(path: string, wanted: string, parse: (text: string) => T): T {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > BYTES_MAX) throw new Error(`it has ${size} bytes, at most ${BYTES_MAX} are allowed`);
    text = readFileSync(path, "latin1");
  } catch (error) {
    throw new TlsError(`Cannot serve TLS: cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
  try {
    return parse(text);
  } catch {
    throw new TlsError(`Cannot serve TLS: ${path} is not ${wanted}`);
  }
}
