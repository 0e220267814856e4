// One WebSocket, whoever's it is: the browser's, Node's, or what the caller brings.
import { WasqError } from "./errors.ts";
import type { Settings, WebSocketLike } from "./options.ts";
import { SUBPROTOCOL } from "./wire.ts";

export interface SocketEvents {
  onOpen(): void;
  onFrame(frame: Uint8Array): void;
  /** Called once, whatever happened. 1006: without a close frame. */
  onClose(code: number, reason: string): void;
}

export interface Socket {
  send(frame: Uint8Array): void;
  /** Ends it; `onClose` is not called any more. */
  drop(): void;
}

type Make = (url: string, protocols: string[], headers: Readonly<Record<string, string>>) => WebSocketLike;

const makeGlobal: Make = (url, protocols, headers) => {
  const { WebSocket } = globalThis;
  if (WebSocket === undefined) {
    throw new WasqError("CONNECT_FAILED", "There is no global WebSocket (Node has one from 22 on): pass `webSocket`");
  }
  if (Object.keys(headers).length === 0) return new WebSocket(url, protocols);
  return new WebSocket(url, { protocols, headers } as never); // Node's takes headers, a browser's refuses the object
};

/** @throws WasqError where there is no WebSocket, whatever its constructor throws for a bad URL */
export function openSocket(
  settings: Settings,
  url: string,
  headers: Readonly<Record<string, string>>,
  events: SocketEvents,
): Socket {
  const webSocket = (settings.webSocket ?? makeGlobal)(url, [SUBPROTOCOL], headers);
  webSocket.binaryType = "arraybuffer";
  let isOpen = false;
  let isOver = false;
  const close = (code: number, reason: string): void => {
    if (isOver) return;
    isOver = true;
    events.onClose(code, reason);
  };
  webSocket.onopen = () => {
    isOpen = true;
    if (!isOver) events.onOpen();
  };
  webSocket.onmessage = (event: { data: unknown }) => {
    if (isOver) return;
    if (event.data instanceof ArrayBuffer) events.onFrame(new Uint8Array(event.data));
    else close(1003, "text on the binary subprotocol");
  };
  // The close event that follows has the code; only Node's WebSocket has none when it could not connect at all.
  webSocket.onerror = () => {
    if (!isOpen) close(1006, "");
  };
  webSocket.onclose = (event: { code: number; reason: string }) => close(event.code, event.reason);
  return {
    send(frame) {
      if (!isOver) webSocket.send(frame as Uint8Array<ArrayBuffer>);
    },
    drop() {
      isOver = true;
      webSocket.close();
    },
  };
}
