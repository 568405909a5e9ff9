"""The receiver's file: one JSON line per request that it accepted, kept over restarts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from contracts.alerts import DriftAlert
from demo.errors import DemoError


class Receipt(msgspec.Struct, frozen=True):
    """One line. received: seconds since the epoch, by the receiver's clock; repeated: accepted before."""

    received: float
    alert: DriftAlert
    repeated: bool = False


_decoder = msgspec.json.Decoder(Receipt)


class ReceiptFile:
    """Not for several threads at once. Raises DemoError when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab+") as lines:
                # a line that a crash cut off was not acknowledged: its alert comes again
                lines.seek(0)
                lines.truncate(lines.read().rfind(b"\n") + 1)
            self._accepted = {receipt.alert.id for receipt in self.read()}
        except (OSError, msgspec.MsgspecError) as error:
            raise DemoError(f"{path} cannot hold receipts ({error}): move it away, or name another file") from error

    def append(self, alert: DriftAlert, received: float) -> None:
        """Write one line; `repeated` says whether this id was accepted before."""
        line = msgspec.json.encode(Receipt(received, alert, alert.id in self._accepted))
        with self.path.open("ab") as lines:
            lines.write(line + b"\n")
        self._accepted.add(alert.id)

    def read(self) -> list[Receipt]:
        """All whole lines."""
        lines = self.path.read_bytes().splitlines(keepends=True)
        return [_decoder.decode(line) for line in lines if line.endswith(b"\n")]
