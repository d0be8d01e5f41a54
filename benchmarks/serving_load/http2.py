"""gRPC calls over one HTTP/2 connection (RFC 9113), all alike, as cheaply as Python can make and count them.

A call is two frames whose bytes are written once; only the number of its stream changes. What comes back is counted
from the frames. A few microseconds a call leave the machine to the server, which is what is measured.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import socket
import struct
import urllib.parse
from collections.abc import Iterator

from serving_load.hpack import decoded, encoded

__all__ = ["CODES", "Connection", "End", "Frames"]

#: Names of the gRPC statuses, by number.
CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 0x20
_REFUSED, _CANCEL = 7, 8
_MOST_STREAMS = 3
_HEAD = struct.Struct(">HBBBI")  # length (2 + 1 bytes), kind, flags, stream
_OPEN = 1 << 30  # bytes that the server may send before it is told that they were read
_LARGEST_FRAME = 16_384
_PREFIX = struct.Struct(">BI")  # compressed or not, and the length of a message of gRPC


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How a call ended.

    Parameters
    ----------
    stream
        Its number.
    code
        The gRPC status. ``RETRY`` is what a stock client tries again by itself: the server says that it has not
        looked at the call.
    message
        Of the status.
    content
        The message of an answer, as it came.
    """

    stream: int
    code: str
    message: str = ""
    content: bytes = b""


class Frames:
    """The frames of a call, but for the number of the stream.

    Parameters
    ----------
    authority, path
        Where it goes.
    body
        The serialised request, at most what one frame holds.
    timeout
        Seconds that the server is given.
    """

    def __init__(self, authority: str, path: str, body: bytes, timeout: float) -> None:
        headers = encoded(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("grpc-timeout", f"{round(timeout * 1000)}m"),
            ]
        )
        content = _PREFIX.pack(0, len(body)) + body
        if len(content) > _LARGEST_FRAME:
            raise ValueError(f"a request is one frame, of at most {_LARGEST_FRAME} bytes; got {len(content)}")
        self.size = len(content)  # what counts against the window of the server
        self._headers, self._content = headers, content

    def call(self, stream: int) -> bytes:
        """Give the bytes of a call."""
        return b"".join(
            (
                _frame_head(len(self._headers), _HEADERS, _END_HEADERS, stream),
                self._headers,
                _frame_head(self.size, _DATA, _END_STREAM, stream),
                self._content,
            )
        )


class Connection:
    """A connection, and the calls that are in flight on it.

    Parameters
    ----------
    host, port
        Of the server.
    frames
        Of each call.

    Raises
    ------
    OSError
        If nobody listens there.
    """

    def __init__(self, host: str, port: int, frames: Frames) -> None:
        self.sock = socket.create_connection((host, port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.in_flight: set[int] = set()
        self.leaving = False  # the server takes no more calls on it
        self._frames = frames
        self._next = 1
        self._held: collections.deque[int] = collections.deque()  # streams that wait for room
        self._window = 65_535
        self._most = 100  # streams at once, until the server says how many
        self._eaten = 0
        self._rest = b""
        self._block = b""
        self._ends = False  # whether the headers that are being read are the last
        self._contents: dict[int, bytes] = {}
        self._out = bytearray(_PREFACE)
        self._write(_SETTINGS, 0, 0, struct.pack(">HIHIHI", 1, 0, 2, 0, 4, _OPEN))
        self._write(_WINDOW, 0, 0, struct.pack(">I", _OPEN))

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for the socket."""
        return bool(self._out)

    def call(self) -> int:
        """Begin a call; give the number of its stream."""
        stream = self._next
        self._next += 2
        self.in_flight.add(stream)
        self._held.append(stream)
        self._release()
        return stream

    def flush(self) -> None:
        """Send what there is to send, as far as the socket takes it. Raises `OSError` if it is broken."""
        if self._out:
            with contextlib.suppress(BlockingIOError):
                del self._out[: self.sock.send(self._out)]

    def receive(self) -> Iterator[End]:
        """Read what has come; give the calls that have ended by it. Raises `OSError` if the connection is over."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        data = self._rest + data
        place, size = 0, len(data)
        while size - place >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, place)
            start = place + 9
            stop = start + (high << 8 | low)
            if stop > size:
                break
            place = stop
            yield from self._frame(kind, flags, stream, data[start:stop])
        self._rest = data[place:]

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[End]:
        if kind == _DATA:
            self._contents[stream] = self._contents.get(stream, b"") + _unpadded(payload, flags)
            self._eat(len(payload))
        elif kind in (_HEADERS, _CONTINUATION):
            self._block += payload if kind == _CONTINUATION else _unpadded(payload, flags)
            if kind == _HEADERS:
                self._ends = bool(flags & _END_STREAM)
            if flags & _END_HEADERS:
                block, self._block = self._block, b""
                headers = decoded(block)  # of every block: what it says of the table must be seen
                if self._ends:
                    yield self._ended(stream, headers)
        elif kind == _RESET:
            if stream in self.in_flight:
                code = int.from_bytes(payload)
                names = {_REFUSED: "RETRY", _CANCEL: "CANCELLED"}
                yield self._finish(stream, names.get(code, "INTERNAL"), f"the stream was reset with code {code}")
        elif kind == _GOAWAY:
            self.leaving = True
            last = int.from_bytes(payload[:4])
            for each in [each for each in self.in_flight if each > last]:
                yield self._finish(each, "RETRY", "the server went away before it")
        else:
            self._control(kind, flags, stream, payload)

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Do what the server asks of the connection."""
        if kind == _SETTINGS and not flags & _ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                self._most = value if name == _MOST_STREAMS else self._most
            self._write(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._write(_PING, _ACK, 0, payload)
        elif kind == _WINDOW and stream == 0:
            self._window += int.from_bytes(payload)
            self._release()

    def _ended(self, stream: int, headers: dict[str, str]) -> End:
        status = headers.get("grpc-status", "")
        if not status.isdigit() or int(status) >= len(CODES):
            return self._finish(stream, "UNKNOWN", f"the answer ends without a status: {headers}")
        message = urllib.parse.unquote(headers.get("grpc-message", ""))
        return self._finish(stream, CODES[int(status)], message)

    def _finish(self, stream: int, code: str, message: str) -> End:
        self.in_flight.discard(stream)
        content = self._contents.pop(stream, b"")
        self._release()
        if code == "OK" and (len(content) < 5 or _PREFIX.unpack_from(content) != (0, len(content) - 5)):
            return End(stream, "DATA_LOSS", f"an answer of {len(content)} bytes is not what its prefix says")
        return End(stream, code, message, content[5:])

    def _release(self) -> None:
        """Write the calls that the server has room for: in its window, and among its streams."""
        while (
            self._held
            and self._window >= self._frames.size
            and len(self.in_flight) - len(self._held) < self._most  # those that have been sent
        ):
            self._window -= self._frames.size
            self._out += self._frames.call(self._held.popleft())

    def _eat(self, count: int) -> None:
        self._eaten += count
        if self._eaten > _OPEN // 2:
            self._write(_WINDOW, 0, 0, struct.pack(">I", self._eaten))
            self._eaten = 0

    def _write(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._out += _frame_head(len(payload), kind, flags, stream) + payload


def _frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def _unpadded(payload: bytes, flags: int) -> bytes:
    start, stop = 0, len(payload)
    if flags & _PADDED:
        start, stop = 1, stop - payload[0]
    if flags & _PRIORITY:
        start += 5
    return payload[start:stop]
