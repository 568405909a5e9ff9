"""Pictures one after the other, over an absence of the broker, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from stream_app.errors import BrokerError
from stream_app.readiness import passes
from stream_app.status.picture import Picture

Read = Callable[[], Awaitable[Sequence[Picture]]]
"""The pictures of one moment. Raises BrokerError and StateError."""


class Watch:
    """show: prints pictures. say: a line for people beside them."""

    def __init__(self, show: Callable[[Sequence[Picture]], None], say: Callable[[str], None]) -> None:
        self._show, self._say = show, say
        self._shown: datetime | None = None

    async def once(self, read: Read) -> None:
        """Raises as `read` does."""
        pictures = await read()
        self._show(pictures)
        self._shown = pictures[0].at

    async def go_on(self, read: Read, seconds: float, trouble: Callable[[], str | None]) -> None:
        """Until cancelled, with so many seconds between. Raises what does not pass.

        trouble: what keeps pictures away and was said already, None where that is nothing; the rest is said here, once
        until there is a picture: each kind of error, as one says in other words how long it was waited for.
        """
        said: set[type[BaseException | None]] = set()
        while True:
            try:
                await self.once(read)
                said.clear()
            except BrokerError as error:
                if not passes(error):
                    raise
                if trouble() is None and (kind := type(error.__cause__)) not in said:
                    said.add(kind)
                    self._say(f"{error}{self.shown()}")
            await asyncio.sleep(seconds)

    def shown(self) -> str:
        """What is said behind why there is no newer picture."""
        return "" if self._shown is None else f"; the picture above is of {self._shown:%H:%M:%S}Z"
