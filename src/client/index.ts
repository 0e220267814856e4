// Everything that is promised to users.
export { type Client, type CloseOptions, connect } from "./client.ts";
export {
  type ErrorCode,
  type FailedMessage,
  PublishError,
  WasqError,
} from "./errors.ts";
export type { Message, MessageAttribute, NackOptions } from "./message.ts";
export type { ConnectionChange, ConnectOptions, UpgradeRequest, WebSocketLike } from "./options.ts";
export type { AttributeInput, OutgoingMessage } from "./outgoing.ts";
export type { Published, Publisher, PublisherOptions, PublishOptions } from "./publisher.ts";
export type { Credentials } from "./sign.ts";
export type { HandlerOptions, MessageStream, SubscribeOptions, Subscription } from "./subscription.ts";
export type { QueueEvent, Watch, WatchOptions, WatchUpdate } from "./watch.ts";
export type { Handler } from "./worker.ts";
