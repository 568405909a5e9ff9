"""Sources: the slots that one publisher drains, its own and those it adopted from processes that are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from api.errors import OutboxUnusable
from api.outbox.backlog import Backlog, Slice
from api.outbox.reading import SLICE_BYTES
from api.outbox.removal import Removal
from api.outbox.slots import Slot, abandoned
from api.telemetry import Drained

log = logging.getLogger(__name__)


class Source(NamedTuple):
    """One slot and what waits in it."""

    slot: Slot
    backlog: Backlog


class Sources:
    """own: this process's slot. root: the directory in which abandoned ones are looked for; part: of them, not all."""

    def __init__(
        self, own: Source, root: Path, telemetry: Drained, on_torn: Callable[[int], None], part: str = ""
    ) -> None:
        self.own = own
        self._root = root
        self._part = part
        self._telemetry = telemetry
        self._on_torn = on_torn
        self._adopted: list[Source] = []
        self._aside: dict[str, str] = {}
        self._recovered = False
        self._removal = Removal()  # of what was adopted

    def __iter__(self) -> Iterator[Source]:
        """This process's own first."""
        return iter((self.own, *self._adopted))

    @property
    def trouble(self) -> str:
        """Slots that cannot be read just now, and why; empty without."""
        found = self._aside | ({self.own.slot.name: self.own.backlog.problem} if self.own.backlog.problem else {})
        return "; ".join(f"slot {name} {why}" for name, why in found.items())

    def adopt(self) -> None:
        """Take over what dead processes left. What cannot be read is left alone until the next look, and said once."""
        before, self._aside = self._aside, {}
        for slot in abandoned(self._root, self._part):
            if slot.directory in self._removal.stuck:  # said when that was found
                self._aside[slot.name] = "has files that cannot be removed"
                slot.release()
                continue
            try:
                backlog = self._readable(slot)
            except (OutboxUnusable, OSError) as error:  # another version's, another user's, or the disk's
                self._set_aside(slot, error, said=slot.name in before)
                slot.release()
                continue
            log.info("publisher: drains slot %s, whose process is gone", slot.name)
            self._telemetry.adopted.inc()
            self._adopted.append(Source(slot, backlog))

    def slices(self) -> Iterator[tuple[Source, Slice | None]]:
        """What is oldest in each source that can be read. One that cannot hinders no other."""
        for source in tuple(self):
            backlog = source.backlog
            try:
                slice_ = backlog.read()
            except OSError as error:
                if source is self.own:
                    self._unreadable(error)
                else:
                    self._set_aside(source.slot, error, said=False)
                    self._let_go(source)
                continue
            if backlog.problem:
                log.info("publisher: slot %s can be read again", source.slot.name)
                backlog.problem = ""
            yield source, slice_

    def waiting(self) -> bool:
        """Whether anything is to be sent, or to be given back."""
        return bool(self._adopted or self.own.backlog.pending_bytes)

    def behind(self) -> bool:
        """Whether a slice or more waits somewhere."""
        return any(source.backlog.pending_bytes >= SLICE_BYTES for source in self)

    def emptied(self, source: Source) -> None:
        """Nothing waits in this source: what only the events of earlier processes needed can go."""
        if source is not self.own:
            _forget(source.slot)
            self._let_go(source)
        elif not self._recovered:
            self._recovered = True
            _forget(source.slot)

    def close(self) -> None:
        """Give back what was adopted; the next process goes on with it."""
        for source in tuple(self._adopted):
            self._let_go(source)
        self._removal.close()

    def _readable(self, slot: Slot) -> Backlog:
        backlog = Backlog(slot.directory, self._on_torn, self._removal.remove)
        try:
            backlog.read()
        except OSError:
            backlog.close()
            raise
        return backlog

    def _set_aside(self, slot: Slot, error: Exception, *, said: bool) -> None:
        why = f"cannot be read: {_reason(error)}"
        self._aside[slot.name] = why
        if not said:
            log.error("publisher: slot %s is left alone, it %s; others go on", slot.name, why)

    def _unreadable(self, error: OSError) -> None:
        backlog = self.own.backlog
        if not backlog.problem:
            log.error(
                "outbox: slot %s cannot be read, its events do not reach Kafka: %s", self.own.slot.name, _reason(error)
            )
        backlog.problem = f"cannot be read: {_reason(error)}"

    def _let_go(self, source: Source) -> None:
        self._adopted.remove(source)
        source.backlog.close()
        self._removal.then(source.slot.release)  # nobody takes the directory while files are on their way out


def _forget(slot: Slot) -> None:
    try:
        slot.forget_inherited()
    except OSError as error:  # they only take room
        log.warning("publisher: baselines of slot %s cannot be removed: %s", slot.name, error.strerror)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
