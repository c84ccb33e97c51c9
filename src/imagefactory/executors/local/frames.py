"""The words between helper and client: small frames of JSON, and raw frames of output."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_HEAD = struct.Struct("!cI")
MAX_FRAME = 1024 * 1024
JSON, OUT, ERR = b"j", b"o", b"e"


def send(sock: socket.socket, message: dict[str, Any]) -> None:
    """Send a JSON frame."""
    data = json.dumps(message).encode()
    sock.sendall(_HEAD.pack(JSON, len(data)) + data)


def send_output(sock: socket.socket, kind: bytes, data: bytes) -> None:
    """Send a frame of output as it was read."""
    sock.sendall(_HEAD.pack(kind, len(data)) + data)


def receive(sock: socket.socket) -> tuple[bytes, bytes] | None:
    """Return the next frame's kind and content, or None at the end.

    Raises ValueError for a frame that is too large.
    """
    head = _exactly(sock, _HEAD.size)
    if head is None:
        return None
    kind, size = _HEAD.unpack(head)
    if size > MAX_FRAME:
        raise ValueError(f"a frame of {size} bytes")
    body = _exactly(sock, size)
    return None if body is None else (kind, body)


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        piece = sock.recv(size - len(parts))
        if not piece:
            return None
        parts += piece
    return bytes(parts)
