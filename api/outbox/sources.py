"""Sources: the slots that one publisher drains, its own and those it adopted from processes that are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from api.errors import OutboxUnusable
from api.outbox.backlog import SLICE_BYTES, Backlog
from api.outbox.slots import Slot, abandoned
from api.telemetry import Telemetry

log = logging.getLogger(__name__)


class Source(NamedTuple):
    """One slot and what waits in it."""

    slot: Slot
    backlog: Backlog


class Sources:
    """own: this process's slot. root: the directory in which abandoned ones are looked for."""

    def __init__(self, own: Source, root: Path, telemetry: Telemetry, on_torn: Callable[[int], None]) -> None:
        self.own = own
        self._root = root
        self._telemetry = telemetry
        self._on_torn = on_torn
        self._adopted: list[Source] = []
        self._recovered = False

    def __iter__(self) -> Iterator[Source]:
        """This process's own first."""
        return iter((self.own, *self._adopted))

    def adopt(self) -> None:
        """Take over what dead processes left."""
        for slot in abandoned(self._root):
            try:
                backlog = Backlog(slot.directory, self._on_torn)
            except (OutboxUnusable, OSError) as error:  # another version's, or another user's
                log.error("publisher: slot %s is left alone: %s", slot.name, error)
                slot.release()
                continue
            log.info("publisher: drains slot %s, whose process is gone", slot.name)
            self._telemetry.adopted.inc()
            self._adopted.append(Source(slot, backlog))

    def behind(self) -> bool:
        """Whether a slice or more waits somewhere."""
        return any(source.backlog.pending_bytes >= SLICE_BYTES for source in self)

    def emptied(self, source: Source) -> None:
        """Nothing waits in this source: what only the events of earlier processes needed can go."""
        if source is not self.own:
            self._adopted.remove(source)
            source.slot.forget_inherited()
            source.backlog.close()
            source.slot.release()
        elif not self._recovered:
            self._recovered = True
            source.slot.forget_inherited()

    def close(self) -> None:
        """Give back what was adopted; the next process goes on with it."""
        for source in self._adopted:
            source.backlog.close()
            source.slot.release()
        self._adopted.clear()
