"""Messages on a pipe: JSON objects, preceded by their length.

A reader sees a message whole or not at all, even if the writer dies in the middle of it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, Protocol

from manyseeds.errors import ManyseedsError, RequestError, RunError

Message = dict[str, Any]
"""A JSON object."""


class Readable(Protocol):
    """A source of messages: a pipe, buffered or not."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes; none at the end."""


class Writable(Protocol):
    """A destination of messages: a buffered pipe."""

    def write(self, content: bytes, /) -> object:
        """Write all of the content, at the latest when `flush` is called."""

    def flush(self) -> object:
        """Pass on everything written so far."""


_LENGTH = struct.Struct(">Q")
_READ_BYTES = 1 << 20
_BODY, _ERROR, _TEXT = "message", "error", "text"


def write_message(stream: Writable, content: Message | ManyseedsError) -> None:
    """Write a message, or an error for the reader to raise.

    Raises
    ------
    BrokenPipeError
        The pipe is no longer read.
    """
    if isinstance(content, ManyseedsError):
        frame: Message = {_ERROR: content.exit_status, _TEXT: str(content)}
    else:
        frame = {_BODY: content}
    encoded = json.dumps(frame).encode("ascii")
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    stream.flush()


def read_messages(stream: Readable) -> Iterator[Message | ManyseedsError]:
    """Yield messages and errors until the stream ends; a message cut short is dropped."""
    while (header := _read_exactly(stream, _LENGTH.size)) is not None:
        encoded = _read_exactly(stream, *_LENGTH.unpack(header))
        if encoded is None:
            return
        yield _content(json.loads(encoded))


def _content(frame: Message) -> Message | ManyseedsError:
    if _ERROR in frame:
        refused = frame[_ERROR] == RequestError.exit_status
        return (RequestError if refused else RunError)(frame[_TEXT])
    body: Message = frame[_BODY]
    return body


def _read_exactly(stream: Readable, count: int) -> bytearray | None:
    """Return `count` bytes, or None if the stream ends before that."""
    content = bytearray()
    while len(content) < count:
        part = stream.read(min(count - len(content), _READ_BYTES))
        if not part:
            return None
        content += part
    return content
