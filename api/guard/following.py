"""KeyFollower: what is in the file of keys is in force a second later, without a restart.

The file is asked for its times and size, in a thread and never on a request's way. A new one that cannot be read
changes nothing: the keys go on as they were, and the log and a metric say so, until a good one is there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from api.errors import SettingsError
from api.guard.guard import Guard
from api.guard.key_file import read
from api.guard.key_ring import KeyRing
from api.secret_file import Look, seen
from api.telemetry import Telemetry

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class KeyFollower:
    """guard: is given the keys. clock: as the guard's, seconds, monotonic."""

    def __init__(
        self, path: Path, guard: Guard, telemetry: Telemetry, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._guard = guard
        self._telemetry = telemetry
        self._clock = clock
        self._look: Look = None

    def start(self) -> None:
        """Read the file for the first time. Raises SettingsError: without its keys the API does not start."""
        self._look = seen(self._path)
        self._take()
        self._telemetry.keys_current.set(1)

    def poll(self) -> None:
        """Read the file again if it is another one than at the last look. Raises nothing that is expected."""
        look = seen(self._path)
        if look == self._look:
            return
        self._look = look  # before the read: what is written meanwhile makes another look
        try:
            self._take()
        except SettingsError as error:
            self._telemetry.keys_current.set(0)
            log.error("keys: the former ones stay in force: %s", error)
            return
        except Exception:
            self._look = None  # what it was is not known, so the next look is at a new file
            self._telemetry.keys_current.set(0)
            raise
        self._telemetry.keys_current.set(1)
        ring = self._guard.ring
        log.info("keys: read again, %d in force", 0 if ring is None else len(ring))

    async def run(self, seconds: float = POLL_SECONDS) -> None:
        """Poll for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.poll)
            except Exception:  # nothing may end this: a key that is revoked later has to stop opening
                log.exception("keys: the former ones stay in force, the file is read again")

    def _take(self) -> None:
        entries = read(self._path)
        # one assignment: a request sees the old ring or the new one, and the new one remembers no header yet
        self._guard.use(KeyRing(entries, self._clock, self._guard.ring))
