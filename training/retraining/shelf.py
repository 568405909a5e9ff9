"""Shelf: where retrainings that are at work are put down, so that whoever comes after a crash can go on with them.

var/retraining/<id>/work.json         what it is for, and how far it is; ended-work.json once it has ended
var/retraining/<id>/data/             what was collected
var/retraining/<id>/lock              held by the process that is at it
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from training.data.span import Span, merged
from training.errors import TrainingError

FILE, ENDED, DATA, LOCK = "work.json", "ended-work.json", "data", "lock"

How = Literal["promoted", "refused", "ended", "overtaken", "failed", "abandoned"]
"""refused: by the gates. ended, overtaken: the rollout. failed: a step could not be done. abandoned: after a crash the
world was another one, or a step was cut short again and again."""


class Outcome(msgspec.Struct, frozen=True):
    """How a retraining ended; reason: one sentence."""

    how: How
    reason: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a retraining is for, and how far it is. heard: event time at which it was decided: nothing later is learnt.

    data, version, gated, outcome: steps that are done: the digest of what was collected and the time of its first row,
    what came of training, that the gates let it through, how it ended. step, attempts: what was begun last, and how
    often in a row.
    """

    id: str
    model: str
    champion: str
    trigger: str
    reason: str
    heard: datetime
    leave_out: tuple[Span, ...] = ()
    data: str | None = None
    first: datetime | None = None
    version: str | None = None
    gated: bool = False
    outcome: Outcome | None = None
    step: str = ""
    attempts: int = 0
    v: Literal[1] = 1


class Shelf:
    """root: a folder that outlives the process."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, work: Work) -> Path:
        """Where all of a retraining is."""
        return self._root / work.id

    def data(self, work: Work) -> Path:
        """Where its data set is."""
        return self.folder(work) / DATA

    def put(self, work: Work) -> Work:
        """Durable when it returns; only inside `held`. Raises TrainingError."""
        folder = self._root / work.id
        new = folder / f"new-{FILE}"
        with _errors(folder):
            with new.open("wb") as file:
                file.write(msgspec.json.encode(work))
                file.flush()
                os.fsync(file.fileno())
            new.replace(folder / FILE)
        return work

    def taken_up(self, work: Work) -> Work | None:
        """As far as it is; put down now if it is new. None: it has ended. Only inside `held`. Raises TrainingError.

        What it leaves out may have grown until it is collected.
        """
        if (self._root / work.id / ENDED).exists():
            return None
        found = self.read(work.id)
        if found is None:
            return self.put(work)
        return found if found.data else replace(found, leave_out=merged([*found.leave_out, *work.leave_out]))

    def now(self, work: Work) -> Work:
        """As it was put down last. Raises TrainingError."""
        return self.read(work.id) or work

    def read(self, id_: str) -> Work | None:
        """As it was put down; None where it is not here, or has ended. Raises TrainingError."""
        file = self._root / id_ / FILE
        try:
            return msgspec.json.decode(file.read_bytes(), type=Work)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise TrainingError(f"{file}: {error}: mend it, or remove the folder to give it up") from error

    def unfinished(self, model: str) -> list[Work]:
        """Of a model, oldest first; also those that another process is at."""
        if not self._root.is_dir():
            return []
        found = [self.read(path.name) for path in sorted(self._root.iterdir()) if path.is_dir()]
        return sorted((one for one in found if one is not None and one.model == model), key=lambda one: one.heard)

    def finish(self, work: Work) -> None:
        """It has ended, and that was told; its data stays for whoever wants to look. Raises TrainingError."""
        folder = self._root / work.id
        with _errors(folder):
            (folder / FILE).replace(folder / ENDED)

    @contextmanager
    def held(self, id_: str) -> Iterator[bool]:
        """Inside, no other process is at it; False: one is already. Raises TrainingError."""
        folder = self._root / id_
        with _errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / LOCK).open("w")
        with file:
            try:
                with _errors(folder):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise TrainingError(f"{folder}: {error.strerror}: make room, or set TRAINING_WORK to another folder") from error
