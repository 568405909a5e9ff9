"""CertificateFollower: a renewed certificate is in force seconds later, without a restart or a lost connection.

As with the file of keys (api.guard.following) a new one that cannot be used changes nothing, and the log and a metric
say so. Certificate and key are two files, which are not replaced in one moment: they are read once both have stayed the
same from one look to the next.
"""

from __future__ import annotations

import asyncio
import logging

from api.errors import SettingsError
from api.telemetry import Telemetry
from api.tls.certificates import Certificates

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class CertificateFollower:
    """Shows what is in force, too: when it ends, and whether it is what the files have."""

    def __init__(self, certificates: Certificates, telemetry: Telemetry) -> None:
        self._certificates = certificates
        self._telemetry = telemetry
        self._last = certificates.taken

    def start(self) -> None:
        """Before connections come: a worker that is started again has what was read when the first ones were."""
        if self._certificates.look() != self._certificates.taken:
            self._take()
        self._show()
        log.info("certificate: in force until %s", self._certificates.pair.counts.ends.isoformat())

    def poll(self) -> None:
        """Read the files again if they are others than before, and have been since the last look."""
        look, last = self._certificates.look(), self._last
        self._last = look
        if look == last and look != self._certificates.taken:
            self._take()

    async def run(self, seconds: float = POLL_SECONDS) -> None:
        """Poll for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.poll)
            except Exception:  # nothing may end this: the next certificate has to be taken up
                log.exception("certificate: the former one stays in force")

    def _take(self) -> None:
        try:
            self._certificates.read_again()
        except SettingsError as error:
            self._telemetry.certificate_current.set(0)
            log.error("certificate: the former one stays in force: %s", error)
            return
        self._show()
        log.info("certificate: read again, in force until %s", self._certificates.pair.counts.ends.isoformat())

    def _show(self) -> None:
        self._telemetry.certificate_current.set(1)
        self._telemetry.certificate_ends.set(self._certificates.pair.counts.ends.timestamp())
