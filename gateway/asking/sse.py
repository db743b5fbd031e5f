"""Server-sent events out of bytes, however the network cut them. Never reads what the events hold.

Source: WHATWG HTML, section 9.2.6: a line ends with LF, CRLF or CR; an empty line ends an event; `data` lines of one
event are joined by LF; a line that begins with a colon is a comment.
"""

from collections.abc import Iterator
from typing import NamedTuple

from core.errors import UpstreamError


class Event(NamedTuple):
    """One event; `name` is empty where it says none."""

    data: bytes
    name: bytes = b""


class EventTooLarge(UpstreamError):
    """An event is larger than allowed."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"An event of a stream is larger than {max_bytes} bytes. Check what the endpoint sends.")


class EventReader:
    r"""Takes bytes as they come, gives whole events.

    >>> reader = EventReader(max_bytes=100)
    >>> list(reader.feed(b": hello\ndata: a\r")), list(reader.feed(b"\ndata: b\n\nda"))
    ([], [Event(data=b'a\nb', name=b'')])
    >>> list(reader.feed(b"ta:[DONE]\n")), reader.end()
    ([], [Event(data=b'[DONE]', name=b'')])
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._n_data = 0
        self._name = b""
        self._is_after_cr = False
        self._is_at_start = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete; all of them must be taken.

        Raises:
            EventTooLarge: the one that has begun is.
        """
        if self._is_after_cr and chunk:
            self._is_after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return
        if self._is_one_event(chunk):
            yield Event(chunk[6:-2])
            return
        self._is_after_cr = chunk.endswith(b"\r")
        lines = chunk.splitlines()
        rest = b"" if chunk[-1] in b"\r\n" else lines.pop()
        for line in lines:
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            event = self._take(line)
            if event is not None:
                yield event
        self._line += rest
        if self._n_data + len(self._line) > self._max_bytes:
            raise EventTooLarge(self._max_bytes)

    def end(self) -> list[Event]:
        """The event that the end of the stream left without its empty line, if any."""
        line = bytes(self._line)
        self._line.clear()
        ended = [self._take(line)] if line else []
        return [event for event in (*ended, self._take(b"")) if event is not None]

    def _is_one_event(self, chunk: bytes) -> bool:
        """Whether these bytes are one event of one line and nothing else, as nearly always."""
        is_between = not (self._line or self._data or self._name or self._is_at_start)
        return (
            is_between
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and chunk.count(b"\n") == 2
            and b"\r" not in chunk
            and len(chunk) <= self._max_bytes
        )

    def _take(self, line: bytes) -> Event | None:
        if self._is_at_start:
            self._is_at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatched()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._n_data += len(value) + 1
            if self._n_data > self._max_bytes:
                raise EventTooLarge(self._max_bytes)
        elif field == b"event":
            self._name = value
        return None

    def _dispatched(self) -> Event | None:
        event = Event(b"\n".join(self._data), self._name) if self._data else None
        self._data, self._n_data, self._name = [], 0, b""
        return event
