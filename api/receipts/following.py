"""ReceiptKeeper: the receipts of the keys that are in the file now, a second after a change and without a restart.

A new file that cannot be read changes nothing: the keys go on as they were, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.errors import ReceiptRefused, SettingsError
from api.receipts.keys import read, read_or_make
from api.receipts.receipt import Fact, Receipts
from api.secret_file import seen
from contracts.events import PredictionEvent

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class ReceiptKeeper:
    """path: of the file. made: whether it is made where it is not there. Raises SettingsError: it cannot be read."""

    def __init__(self, path: Path, *, made: bool) -> None:
        self._path = path
        keys = read_or_make(path) if made else read(path)
        self._look = seen(self._path)
        self._receipts = Receipts(keys)
        if self._others_may_read():
            log.warning("receipts: %s can be read by others than its owner, who could make receipts: chmod 600", path)

    def sign(self, event: PredictionEvent[Any]) -> str:
        """See Receipts."""
        return self._receipts.sign(event)

    def sign_all(self, events: Sequence[PredictionEvent[Any]]) -> list[str]:
        """See Receipts."""
        return self._receipts.sign_all(events)

    def read(self, receipt: str, prediction_id: str) -> Fact:
        """See Receipts. For a key that is not known the file is looked at: another worker may have been quicker."""
        try:
            return self._receipts.read(receipt, prediction_id)
        except ReceiptRefused as error:
            if error.category != "receipt-key" or not self.poll():
                raise
            return self._receipts.read(receipt, prediction_id)

    def poll(self) -> bool:
        """Read the file again if it is another one than at the last look. Whether there are other keys now."""
        look = seen(self._path)
        if look == self._look:
            return False
        self._look = look  # before the read: what is written meanwhile makes another look
        try:
            keys = read(self._path)
        except SettingsError as error:
            log.error("receipts: the former keys stay in force: %s", error)
            return False
        if keys == self._receipts.keys:
            return False
        self._receipts = Receipts(keys)
        log.info("receipts: keys read again, %d verify, %s signs", len(keys), keys[0].id.hex())
        return True

    async def run(self, seconds: float = POLL_SECONDS) -> None:
        """Poll for ever."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.poll)

    def _others_may_read(self) -> bool:
        try:
            return bool(stat.S_IMODE(self._path.stat().st_mode) & 0o077)
        except OSError:
            return False
