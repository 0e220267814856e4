// Every error a client of the STS API can meet here. Wire names are the contract: a row is added, never renamed.
import type { Refusal } from "../auth/sigv4.ts";

interface Row {
  readonly status: number;
  readonly fault: "Sender" | "Receiver";
  readonly when: string;
}

export const STS_ERRORS = {
  AccessDenied: { status: 403, fault: "Sender", when: "No policy allows it, or these credentials may not ask for it." },
  ExpiredToken: { status: 403, fault: "Sender", when: "The session token's time is over." },
  IncompleteSignature: { status: 400, fault: "Sender", when: "The signature's parameters cannot be read." },
  InternalFailure: { status: 500, fault: "Receiver", when: "A fault of ours." },
  InvalidAction: { status: 400, fault: "Sender", when: "The action is none of those served here." },
  InvalidClientTokenId: { status: 403, fault: "Sender", when: "The access key, or the session token, is unknown." },
  MalformedPolicyDocument: { status: 400, fault: "Sender", when: "The session's policy is none." },
  MalformedQueryString: { status: 400, fault: "Sender", when: "The parameters cannot be read, or one is given twice." },
  MissingAction: { status: 400, fault: "Sender", when: "There is no Action." },
  MissingAuthenticationToken: { status: 403, fault: "Sender", when: "The request is not signed." },
  PackedPolicyTooLarge: { status: 400, fault: "Sender", when: "Policy and tags do not fit into a session token." },
  SignatureDoesNotMatch: { status: 403, fault: "Sender", when: "The signature, its date or its scope is wrong." },
  Throttling: { status: 400, fault: "Sender", when: "More requests in a second than one principal may make here." },
  ValidationError: { status: 400, fault: "Sender", when: "A parameter is not what it has to be." },
} as const satisfies Record<string, Row>;

export type StsErrorCode = keyof typeof STS_ERRORS;

export class StsError extends Error {
  override name = "StsError";
  readonly code: StsErrorCode;

  constructor(code: StsErrorCode, text: string) {
    super(text);
    this.code = code;
  }
}

/** What authentication says, in this API's words. */
export const CODE_OF_REFUSAL: Readonly<Record<Refusal, StsErrorCode>> = {
  IncompleteSignatureException: "IncompleteSignature",
  InvalidSignatureException: "SignatureDoesNotMatch",
  UnrecognizedClientException: "InvalidClientTokenId",
  ExpiredTokenException: "ExpiredToken",
};
