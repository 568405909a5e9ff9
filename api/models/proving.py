"""Proving: the model is loaded and asked in a process of its own, which ends when it has answered.

In the API's process the imports alone (scikit-learn, pandas, skops) hold the interpreter's lock for seconds, in which
requests wait, and keep 150 MB for good. As a module: `python -m api.models.proving FOLDER NAME VERSION` prints the
answer as JSON.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from api.child import command, environment
from api.errors import ModelRefused
from api.models.proof import Found
from api.models.version import ModelVersion, read_version

log = logging.getLogger(__name__)

_NICENESS = 10
"""Requests come first, also where both have one processor."""


class Prover:
    """Asks models, one at a time. Any thread may close it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    def __call__(self, model: ModelVersion) -> Found | None:
        """What the model says of its compiled form; None where the process ended without an answer."""
        name, version = model.name, model.version
        if self._closed or model.folder is None:
            return None
        # what it complains of goes to a file: a pipe that nobody reads meanwhile could fill and stop it
        with tempfile.TemporaryFile() as complaints:
            # the open end of its input tells it that this process lives
            with subprocess.Popen(
                command("api.models.proving", str(model.folder), name, version),
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
            ) as child:
                self._child = child
                assert child.stdout is not None
                said = child.stdout.read()
            self._child = None
            complaints.seek(0)
            complaint = complaints.read()
        try:
            return msgspec.json.decode(said, type=Found)
        except msgspec.MsgspecError:
            if not self._closed:
                last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
                log.error("models: the process that asks %s/%s ended (%s): %s", name, version, child.returncode, last)
            return None

    def close(self) -> None:
        """End what is under way: nobody waits for its answer any more."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()


def main(folder: Path, name: str, version: str) -> Found:
    """Load the model, and compare."""
    # not above: the API's process imports this module for Prover
    from api.models.compiled import NotRight, prove_here

    try:
        model = read_version(folder, name, version, cached=False, load=True)
        proof = prove_here(model, datetime.now(UTC))
    except ModelRefused as error:
        return Found(refused=str(error))
    except NotRight as error:
        return Found(wrong=str(error))
    return Found(proof.difference, proof.rows)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    os.nice(_NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    found = main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
    sys.stdout.buffer.write(msgspec.json.encode(found))
