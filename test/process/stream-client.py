# A client of the stream protocol, from src/stream/README.md and the standard library alone.
# Usage: stream-client.py PORT QUEUE COUNT - publishes COUNT messages, and receives and acknowledges as many. It signs if
# AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are there.
import base64
import datetime
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import urllib.parse
import uuid


def presigned(host, path, region="us-east-1"):
    """The path with a query that says who asks, good for a minute; the path alone without credentials."""
    key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key_id or not secret:
        return path
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{date[:8]}/{region}/sqs/aws4_request"
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{key_id}/{scope}", "X-Amz-Date": date,
        "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host",
    }
    if os.environ.get("AWS_SESSION_TOKEN"):
        parameters["X-Amz-Security-Token"] = os.environ["AWS_SESSION_TOKEN"]
    query = "&".join(f"{name}={urllib.parse.quote(parameters[name], safe='-_.~')}" for name in sorted(parameters))
    nothing = hashlib.sha256(b"").hexdigest()
    canonical = "\n".join(["GET", path, query, f"host:{host}", "", "host", nothing])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signing = f"AWS4{secret}".encode()
    for part in [*scope.split("/"), to_sign]:
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    return f"{path}?{query}&X-Amz-Signature={signing.hex()}"


class WebSocket:
    def __init__(self, host, port, path, protocol):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Protocol: {protocol}", "", "",
        ]
        self.socket.sendall("\r\n".join(lines).encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise OSError(head.decode())

    def fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def send(self, payload, opcode=1):
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def receive(self):
        """One message's payload; None when the connection is closed."""
        while True:
            first, second = self.take(2)
            size = second & 127
            if size == 126:
                (size,) = struct.unpack("!H", self.take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.take(8))
            payload = self.take(size)
            opcode = first & 15
            if opcode == 9:
                self.send(payload, 10)
            elif opcode == 8:
                return None
            elif opcode in (1, 2):
                return payload


class Stream:
    def __init__(self, port):
        path = presigned(f"127.0.0.1:{port}", "/stream")
        self.web_socket = WebSocket("127.0.0.1", port, path, "wasq.v1.json")
        self.next_id = 0
        self.pending = []

    def send(self, envelope):
        self.web_socket.send(json.dumps(envelope).encode())

    def next(self):
        while not self.pending:
            payload = self.web_socket.receive()
            if payload is None:
                raise EOFError("the server closed the connection")
            self.pending = [json.loads(line) for line in payload.decode().split("\n")]
        return self.pending.pop(0)

    def ask(self, body, otherwise):
        """Sends a request and returns the body of its answer; what is pushed meanwhile goes to `otherwise`."""
        self.next_id += 1
        self.send({"id": self.next_id, **body})
        while True:
            envelope = self.next()
            if envelope.get("id") != self.next_id:
                otherwise(envelope)
            elif "error" in envelope:
                raise RuntimeError(envelope["error"]["code"])
            else:
                return next(value for name, value in envelope.items() if name != "id")


def main():
    port, queue, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    stream = Stream(port)
    confirmed = 0
    received = {}
    arrived = []

    def pushed(envelope):
        nonlocal confirmed
        if "confirm" in envelope:
            confirmed = envelope["confirm"]["number"]
        if "deliver" in envelope:
            first = envelope["deliver"]["first"]
            for place, message in enumerate(envelope["deliver"]["messages"]):
                received[first + place] = message["text"]
                arrived.append(first + place)

    stream.ask({"hello": {"clientName": "python"}}, pushed)
    credit = {"messages": 50, "bytes": 1_000_000}
    stream.ask({"subscribe": {"subscription": 1, "queue": queue, "credit": credit}}, pushed)
    stream.ask({"openPublisher": {"publisher": 1, "queue": queue, "producer": str(uuid.uuid4())}}, pushed)
    for first in range(1, count + 1, 10):
        messages = [{"text": f"message {number}"} for number in range(first, min(first + 10, count + 1))]
        stream.send({"publish": {"publisher": 1, "first": first, "messages": messages}})
    acknowledged = 0
    while acknowledged < count or confirmed < count:
        if not arrived:
            pushed(stream.next())
            continue
        numbers, arrived[:] = arrived[:], []
        ranges = [{"first": number} for number in numbers]
        acknowledged += stream.ask({"ack": {"subscription": 1, "deliveries": ranges}}, pushed).get("count", 0)
        stream.send({"credit": {"subscription": 1, **credit, "beyond": max(received)}})
    stream.ask({"bye": {}}, pushed)
    print(f"confirmed {confirmed}, received {len(set(received.values()))}, acknowledged {acknowledged}")


main()
