// The service's errors that a broker can meet, as its reference has them: written down here a second time, so that a slip in
// src/sqs/errors.ts is seen.
interface ServiceError {
  readonly type: string; // __type
  readonly status: number;
}

const sqs = (type: string, status = 400): ServiceError => ({ type: `com.amazonaws.sqs#${type}`, status });
const coral = (type: string, status = 400): ServiceError => ({ type: `com.amazon.coral.service#${type}`, status });

/** By Query code, which is also the first half of x-amzn-query-error. */
export const SERVICE_ERRORS: { readonly [code: string]: ServiceError } = {
  "AWS.SimpleQueueService.NonExistentQueue": sqs("QueueDoesNotExist"),
  QueueAlreadyExists: sqs("QueueNameExists"),
  "AWS.SimpleQueueService.QueueDeletedRecently": sqs("QueueDeletedRecently"),
  "AWS.SimpleQueueService.PurgeQueueInProgress": sqs("PurgeQueueInProgress", 403),
  RequestThrottled: sqs("RequestThrottled", 403),
  "KMS.AccessDeniedException": sqs("KmsAccessDenied"),
  "KMS.DisabledException": sqs("KmsDisabled"),
  "KMS.InvalidKeyUsageException": sqs("KmsInvalidKeyUsage"),
  "KMS.InvalidStateException": sqs("KmsInvalidState"),
  "KMS.NotFoundException": sqs("KmsNotFound"),
  "KMS.OptInRequired": sqs("KmsOptInRequired", 403),
  "KMS.ThrottlingException": sqs("KmsThrottled"),
  ReceiptHandleIsInvalid: sqs("ReceiptHandleIsInvalid", 404),
  InvalidMessageContents: sqs("InvalidMessageContents"),
  InvalidAttributeName: sqs("InvalidAttributeName"),
  InvalidAttributeValue: sqs("InvalidAttributeValue"),
  "AWS.SimpleQueueService.EmptyBatchRequest": sqs("EmptyBatchRequest"),
  "AWS.SimpleQueueService.TooManyEntriesInBatchRequest": sqs("TooManyEntriesInBatchRequest"),
  "AWS.SimpleQueueService.BatchEntryIdsNotDistinct": sqs("BatchEntryIdsNotDistinct"),
  "AWS.SimpleQueueService.InvalidBatchEntryId": sqs("InvalidBatchEntryId"),
  "AWS.SimpleQueueService.BatchRequestTooLong": sqs("BatchRequestTooLong"),
  OverLimit: sqs("OverLimit", 403),
  "AWS.SimpleQueueService.UnsupportedOperation": sqs("UnsupportedOperation"),
  ResourceNotFoundException: sqs("ResourceNotFoundException", 404),
  InvalidAddress: sqs("InvalidAddress", 404),
  InvalidSecurity: sqs("InvalidSecurity", 403),
  InvalidParameterValue: coral("InvalidParameterValueException"),
  MissingParameter: coral("MissingRequiredParameterException"),
  InvalidAction: coral("UnknownOperationException"),
  MalformedInput: coral("SerializationException"),
  AccessDenied: coral("AccessDeniedException", 403),
  InvalidClientTokenId: coral("UnrecognizedClientException", 403),
  SignatureDoesNotMatch: coral("InvalidSignatureException", 403),
  IncompleteSignature: coral("IncompleteSignatureException"),
  ExpiredToken: coral("ExpiredTokenException", 403),
};
