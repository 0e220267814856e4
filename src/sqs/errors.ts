// Every error a client of the SQS API can meet. Wire names are the contract: a row is added, never renamed.

interface Row {
  readonly status: number; // the same in both protocols
  readonly space: "com.amazonaws.sqs" | "com.amazon.coral.service"; // before "#" in __type
  readonly queryCode: string; // <Code>, and the first half of x-amzn-query-error
  readonly fault: "Sender" | "Receiver";
  readonly when: string;
}

const SQS = "com.amazonaws.sqs";
const CORAL = "com.amazon.coral.service"; // the generic errors of the service framework

/** Keys are the JSON names, after "#" in __type. */
export const ERRORS = {
  QueueDoesNotExist: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.NonExistentQueue",
    fault: "Sender",
    when: "The queue URL names no queue of this account.",
  },
  QueueNameExists: {
    status: 400,
    space: SQS,
    queryCode: "QueueAlreadyExists",
    fault: "Sender",
    when: "CreateQueue: the name is taken by a queue with another value of a supplied attribute.",
  },
  QueueDeletedRecently: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.QueueDeletedRecently",
    fault: "Sender",
    when: "CreateQueue within 60 s of the DeleteQueue of the same name.",
  },
  PurgeQueueInProgress: {
    status: 403,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.PurgeQueueInProgress",
    fault: "Sender",
    when: "A second PurgeQueue within 60 s.",
  },
  ReceiptHandleIsInvalid: {
    status: 404,
    space: SQS,
    queryCode: "ReceiptHandleIsInvalid",
    fault: "Sender",
    when: "The handle was not issued by this queue.",
  },
  InvalidMessageContents: {
    status: 400,
    space: SQS,
    queryCode: "InvalidMessageContents",
    fault: "Sender",
    when: "A body has a character outside the allowed set.",
  },
  InvalidAttributeName: {
    status: 400,
    space: SQS,
    queryCode: "InvalidAttributeName",
    fault: "Sender",
    when: "A queue attribute is unknown, or cannot be used here.",
  },
  InvalidAttributeValue: {
    status: 400,
    space: SQS,
    queryCode: "InvalidAttributeValue",
    fault: "Sender",
    when: "A queue attribute has a bad value.",
  },
  EmptyBatchRequest: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.EmptyBatchRequest",
    fault: "Sender",
    when: "A batch has no entries.",
  },
  TooManyEntriesInBatchRequest: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    fault: "Sender",
    when: "A batch has more than 10 entries.",
  },
  BatchEntryIdsNotDistinct: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    fault: "Sender",
    when: "Two entries of a batch have the same Id.",
  },
  InvalidBatchEntryId: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.InvalidBatchEntryId",
    fault: "Sender",
    when: "An entry's Id has a bad character or a bad length.",
  },
  BatchRequestTooLong: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.BatchRequestTooLong",
    fault: "Sender",
    when: "The messages of a batch exceed 1 MiB together.",
  },
  OverLimit: {
    status: 403,
    space: SQS,
    queryCode: "OverLimit",
    fault: "Sender",
    when: "Too many messages in flight, or too much in a policy.",
  },
  UnsupportedOperation: {
    status: 400,
    space: SQS,
    queryCode: "AWS.SimpleQueueService.UnsupportedOperation",
    fault: "Sender",
    when: "List values in a message attribute.",
  },
  ResourceNotFoundException: {
    status: 404,
    space: SQS,
    queryCode: "ResourceNotFoundException",
    fault: "Sender",
    when: "Move tasks: an ARN names no queue, or a handle no task.",
  },
  InvalidAddress: {
    status: 404,
    space: SQS,
    queryCode: "InvalidAddress",
    fault: "Sender",
    when: "The path of a Query request is neither / nor a queue's.",
  },
  InvalidSecurity: {
    status: 403,
    space: SQS,
    queryCode: "InvalidSecurity",
    fault: "Sender",
    when: "A queue with server-side encryption is asked for without a signature.",
  },
  InvalidRequest: {
    status: 400,
    space: SQS,
    queryCode: "InvalidRequest",
    fault: "Sender",
    when: "Another action than ReceiveMessage at the path that shows messages.",
  },
  InvalidParameterValueException: {
    status: 400,
    space: CORAL,
    queryCode: "InvalidParameterValue",
    fault: "Sender",
    when: "Most validation.",
  },
  MissingRequiredParameterException: {
    status: 400,
    space: CORAL,
    queryCode: "MissingParameter",
    fault: "Sender",
    when: "A required parameter is absent or empty.",
  },
  UnknownOperationException: {
    status: 400,
    space: CORAL,
    queryCode: "InvalidAction",
    fault: "Sender",
    when: "The action is unknown, missing, or not for this path.",
  },
  SerializationException: {
    status: 400,
    space: CORAL,
    queryCode: "MalformedInput",
    fault: "Sender",
    when: "The request cannot be read: bad JSON, bad UTF-8, a wrong type.",
  },
  AccessDeniedException: {
    status: 403,
    space: CORAL,
    queryCode: "AccessDenied",
    fault: "Sender",
    when: "No policy allows it, or one denies it.",
  },
  UnrecognizedClientException: {
    status: 403,
    space: CORAL,
    queryCode: "InvalidClientTokenId",
    fault: "Sender",
    when: "The access key, or the session token, is unknown.",
  },
  InvalidSignatureException: {
    status: 403,
    space: CORAL,
    queryCode: "SignatureDoesNotMatch",
    fault: "Sender",
    when: "The signature, its date or its scope is wrong.",
  },
  IncompleteSignatureException: {
    status: 400,
    space: CORAL,
    queryCode: "IncompleteSignature",
    fault: "Sender",
    when: "The signature's parameters cannot be read.",
  },
  ExpiredTokenException: {
    status: 403,
    space: CORAL,
    queryCode: "ExpiredToken",
    fault: "Sender",
    when: "The session token's time is over.",
  },
  RequestThrottled: {
    status: 403,
    space: SQS,
    queryCode: "RequestThrottled",
    fault: "Sender",
    when: "More requests in a second, or at once, than one principal may make here.",
  },
  KmsAccessDenied: {
    status: 400,
    space: SQS,
    queryCode: "KMS.AccessDeniedException",
    fault: "Sender",
    when: "The key management denies the use of the queue's key, or the caller may not use it.",
  },
  KmsDisabled: {
    status: 400,
    space: SQS,
    queryCode: "KMS.DisabledException",
    fault: "Sender",
    when: "The queue's key is disabled.",
  },
  KmsInvalidKeyUsage: {
    status: 400,
    space: SQS,
    queryCode: "KMS.InvalidKeyUsageException",
    fault: "Sender",
    when: "The queue's key is for something else than encryption.",
  },
  KmsInvalidState: {
    status: 400,
    space: SQS,
    queryCode: "KMS.InvalidStateException",
    fault: "Sender",
    when: "The queue's key is in a state in which it cannot be used.",
  },
  KmsNotFound: {
    status: 400,
    space: SQS,
    queryCode: "KMS.NotFoundException",
    fault: "Sender",
    when: "There is no such key.",
  },
  KmsOptInRequired: {
    status: 403,
    space: SQS,
    queryCode: "KMS.OptInRequired",
    fault: "Sender",
    when: "The key management wants a subscription.",
  },
  KmsThrottled: {
    status: 400,
    space: SQS,
    queryCode: "KMS.ThrottlingException",
    fault: "Sender",
    when: "The key management is asked too often.",
  },
  InternalFailure: {
    status: 500,
    space: CORAL,
    queryCode: "InternalFailure",
    fault: "Receiver",
    when: "A fault of ours.",
  },
  ServiceUnavailableException: {
    status: 503,
    space: CORAL,
    queryCode: "ServiceUnavailable",
    fault: "Receiver",
    when: "Memory or disk is full for now, or the key management does not answer.",
  },
} as const satisfies Record<string, Row>;

export type ErrorCode = keyof typeof ERRORS;

/** Thrown anywhere in this room, rendered by the protocol the request came in. Code tests `code`, never the text. */
export class SqsError extends Error {
  override name = "SqsError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, text: string) {
    super(text);
    this.code = code;
  }
}

/** The value of x-amzn-query-error: SDKs take the visible error code from it. */
export function queryErrorOf(code: ErrorCode): string {
  return `${ERRORS[code].queryCode};${ERRORS[code].fault}`;
}

export function invalidParameter(text: string): SqsError {
  return new SqsError("InvalidParameterValueException", text);
}

/** The wording most parameters share. */
export function invalidValue(value: string | number, parameter: string, reason: string): SqsError {
  return invalidParameter(`Value ${value} for parameter ${parameter} is invalid. Reason: ${reason}`);
}

export function missingParameter(parameter: string): SqsError {
  return new SqsError("MissingRequiredParameterException", `The request must contain the parameter ${parameter}.`);
}

export function queueDoesNotExist(): SqsError {
  return new SqsError("QueueDoesNotExist", "The specified queue does not exist.");
}

export function full(): SqsError {
  return new SqsError(
    "ServiceUnavailableException",
    "The broker's memory or disk is full and has no room for the message. Receive and delete messages, or retry later.",
  );
}

const NOT_FOR_THIS_TYPE = "The request include parameter that is not valid for this queue type"; // sic

/** The parameter is for the other type of queue. */
export function wrongQueueType(value: string | number, parameter: string): SqsError {
  return invalidValue(value, parameter, `${NOT_FOR_THIS_TYPE}.`);
}

/** The same inside a batch, where the service leaves out the parameter and the dot. */
export function wrongQueueTypeInBatch(): SqsError {
  return invalidParameter(NOT_FOR_THIS_TYPE);
}
