"""Heads: what uvicorn puts before the headers of every answer: the status, the date, and headers that it was told."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Pairs = list[tuple[bytes, bytes]]


class Heads:
    """Written once for each status and second, as uvicorn makes a new list of its headers each second."""

    def __init__(self) -> None:
        self._defaults: Pairs = []
        self._written: dict[int, bytes] = {}

    def of(self, status: int, defaults: Pairs) -> bytes:
        """The first lines of an answer. defaults: ServerState.default_headers."""
        if defaults is not self._defaults:
            self._defaults, self._written = defaults, {}
        head = self._written.get(status)
        if head is None:
            lines = [b"%s: %s\r\n" % (name.lower(), value) for name, value in defaults]
            head = self._written[status] = STATUS_LINE[status] + b"".join(lines)
        return head
