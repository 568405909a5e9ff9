"""Slots: numbered directories under the outbox's root, each owned by one living process, found by a lock on a file.

The kernel drops the lock (flock) with the process, also on SIGKILL, so the next process takes the lowest free slot
and drains what it finds there; a slot that nobody claims any more is adopted by whoever looks for it.

    00/lock 00/identity 00/epoch   00/<epoch>-<n>.log ... 00/acked   00/baselines/<model%2Fversion>.json
    00/labels/lock                 00/labels/<epoch>-<n>.log ... 00/labels/acked

A part, such as that of the labels, is a slot within the slot: it is claimed with it, and adopted by itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, unquote

from api.errors import OutboxUnusable

log = logging.getLogger(__name__)

_MAX_SLOTS = 256


LABELS = "labels"


class Slot:
    """One directory that this process owns until release(). name: its number, two or more digits; of a part NN/part.

    parts: those that it owns with it, by their name.
    """

    def __init__(self, directory: Path, lock: int, name: str, parts: Mapping[str, Slot] = MappingProxyType({})) -> None:
        self.directory = directory
        self.name = name
        self.parts = parts
        self._lock = lock
        self._baselines = directory / "baselines"
        self._kept: set[str] = set()

    def identity(self) -> str:
        """8 hex digits that name this slot and no other, on any machine: the source of its event ids."""
        file = self.directory / "identity"
        if not file.exists():
            replace_file(file, secrets.token_hex(4).encode())
        return file.read_text().strip()

    def next_epoch(self, now_ms: int) -> int:
        """Names this process's start: later than every file and position in the slot, even if the clock went back.

        Otherwise new files would sort before `acked`, and be taken for acknowledged ones. It is remembered, so that
        it holds for a slot that was emptied too. Its parts have the same one.
        """
        kept = self.directory / "epoch"
        names = [path.name for path in self.directory.rglob("*.log")]
        marks = [file for file in (kept, *self.directory.rglob("acked")) if file.exists()]
        names += [file.read_text(errors="replace") for file in marks]
        epoch = max([now_ms, *(_leading_hex(name) + 1 for name in names)])
        name = f"{epoch:012x}".encode()
        try:
            replace_file(kept, name)
        except OSError:  # on a full disk in place: what fills it may be this outbox, which only a start can drain
            with kept.open("r+b") as stream:
                stream.write(name)
        return epoch

    def keep_baseline(self, key: str, data: bytes) -> None:
        """Keep a version's baseline for as long as its events may be unsent; it is on the disk when this returns.

        Raises OutboxUnusable.
        """
        self._kept.add(key)  # first: forget_inherited may run on the event loop while this is in a thread
        if self.baseline(key) == data:  # a restart on a full disk has to come this far
            return
        try:
            self._baselines.mkdir(exist_ok=True)
            replace_file(self._baselines / f"{quote(key, safe='')}.json", data)
        except OSError as error:
            raise OutboxUnusable(
                f"API_OUTBOX_DIR: {self._baselines} cannot keep the baseline of {key}: {error.strerror}; make room"
            ) from error

    def baseline(self, key: str) -> bytes | None:
        """A kept baseline, None where there is none."""
        file = self._baselines / f"{quote(key, safe='')}.json"
        return file.read_bytes() if file.exists() else None

    def forget_inherited(self) -> None:
        """Remove the baselines that earlier processes kept. To be called when none of their events is unsent."""
        for file in self._baselines.glob("*.json"):
            if unquote(file.stem) not in self._kept:
                file.unlink()

    def release(self) -> None:
        """Give the slot back, with its parts."""
        for part in self.parts.values():
            part.release()
        os.close(self._lock)


def claim(root: Path, parts: Sequence[str] = ()) -> Slot:
    """The free slot with the lowest number, of which all parts are free, too. Raises OutboxUnusable."""
    for number in range(_MAX_SLOTS):
        directory = root / f"{number:02d}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            slot = _lock(directory, directory.name, parts)
        except OSError as error:
            raise OutboxUnusable(
                f"API_OUTBOX_DIR: {directory} cannot be used: {error.strerror}; choose one that this user may write"
            ) from error
        if slot is not None:
            return slot
    raise OutboxUnusable(f"API_OUTBOX_DIR: all {_MAX_SLOTS} slots of {root} are in use by living processes")


def abandoned(root: Path, part: str = "") -> Iterator[Slot]:
    """Slots, or this part of slots, that hold log files and no living owner; each is ours once it is yielded."""
    for directory in sorted(root.glob(f"[0-9]*/{part}" if part else "[0-9]*")):
        try:
            if next(directory.glob("*.log"), None) is None:
                continue
            slot = _lock(directory, directory.relative_to(root).as_posix())
        except OSError as error:  # another user's, perhaps: it must not keep this process from its own
            log.error("outbox: %s cannot be looked into, it is left alone: %s", directory, error.strerror)
            continue
        if slot is not None:
            yield slot


def replace_file(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, also through a power cut. Raises OSError."""
    fresh = file.with_name(file.name + ".new")
    try:
        with fresh.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        fresh.unlink(missing_ok=True)  # a part of it would take up room that is wanted
        raise
    fresh.replace(file)
    sync_directory(file.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(directory: Path, name: str, parts: Sequence[str] = ()) -> Slot | None:
    """None: it has another owner, or a part of it has."""
    descriptor = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    taken: dict[str, Slot] = {}
    try:
        for part in parts:
            inner = directory / part
            inner.mkdir(exist_ok=True)
            slot = _lock(inner, f"{name}/{part}")
            if slot is None:  # somebody drains what a dead process left there
                Slot(directory, descriptor, name, taken).release()
                return None
            taken[part] = slot
    except OSError:
        Slot(directory, descriptor, name, taken).release()
        raise
    return Slot(directory, descriptor, name, taken)


def _leading_hex(name: str) -> int:
    try:
        return int(name[:12], 16)
    except ValueError:
        return -1
