"""A chunk of a stream as the client is to see it: under the configured model's name, without usage it did not ask for.

Where the bytes leave no doubt, only those that must change are exchanged; else the chunk is written anew.
"""

import json
from collections.abc import Mapping
from typing import Any

from gateway.asking.reply import write_object


class ChunkEditor:
    """Edits the chunks of one stream.

    >>> editor = ChunkEditor("mine", hides_usage=True)
    >>> data = b'{"id": "c-1", "model": "theirs", "choices": [], "logit": 1.50}'
    >>> editor.edited(data, json.loads(data))
    b'{"id": "c-1", "model": "mine", "choices": [], "logit": 1.50}'
    """

    def __init__(self, model: str, *, hides_usage: bool) -> None:
        self._model, self._hides_usage = model, hides_usage
        self._written = json.dumps(model).encode()
        self._theirs: object = None
        self._swaps: tuple[tuple[bytes, bytes], ...] = ()

    def edited(self, data: bytes, chunk: Mapping[str, Any]) -> bytes:
        """The chunk in one line.

        Args:
            data: it, as it came.
            chunk: the same, read.
        """
        hides = self._hides_usage and "usage" in chunk
        if hides:
            data = _without_null_usage(data, chunk)
        if data and b"\n" not in data and b"\r" not in data and data.count(b'"model"') == 1:
            if chunk.get("model") != self._theirs:
                self._expect(chunk.get("model"))
            for old, new in self._swaps:
                if old in data:
                    return data.replace(old, new)
        shown = {key: value for key, value in chunk.items() if not (hides and key == "usage")}
        return write_object({**shown, "model": self._model})

    def _expect(self, theirs: object) -> None:
        self._theirs = theirs
        old = json.dumps(theirs, ensure_ascii=False).encode(errors="replace")
        self._swaps = tuple((key + old, key + self._written) for key in (b'"model":', b'"model": '))


def _without_null_usage(data: bytes, chunk: Mapping[str, Any]) -> bytes:
    """The bytes without `"usage": null`; empty where they cannot tell which one to take out."""
    if chunk["usage"] is None and data.count(b'"usage"') == 1:
        for part in (b',"usage":null', b', "usage": null'):
            if part in data:
                return data.replace(part, b"")
    return b""
