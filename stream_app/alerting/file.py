"""The file sink: one JSON line per alert, appended and on the disk before the alert counts as delivered.

The file may be moved away at any time, as log rotation does: the next alert makes a new one. An alert that a crash
repeats is not written twice, as long as it is among the last of the file, whichever process wrote it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from collections import deque
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.alerts import DriftAlert, decode_alert, encode_alert
from contracts.errors import InvalidMessage
from stream_app.alerting.errors import Retry, SinkSettingsError
from stream_app.alerting.settings import load

_TAIL_BYTES = 1 << 20
_KNOWN = 1000
"""Ids remembered: far more than the alerts that a sink may have in hand when it dies."""


class FileSettings(BaseSettings):
    """`SINK_FILE_*`."""

    model_config = SettingsConfigDict(env_prefix="SINK_FILE_", frozen=True, env_ignore_empty=True)

    path: Path = Field(examples=["var/alerts.jsonl"])


class FileSink:
    """Opens the file at once, so that a wrong path is found before the first alert. Raises OSError."""

    name: ClassVar[str] = "file"
    settings: ClassVar[type[BaseSettings] | None] = FileSettings
    newest_only: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._one = threading.Lock()  # models are delivered side by side, and each write is in a thread
        self._known: deque[str] = deque(maxlen=_KNOWN)
        self._seen = 0
        """Bytes of the file whose alerts are known."""
        self._file = self._opened()

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SinkSettingsError."""
        settings = load(FileSettings)
        try:
            return cls(settings.path)
        except OSError as error:
            raise SinkSettingsError(
                f"SINK_FILE_PATH={settings.path}: cannot be opened for appending: {error.strerror}; name a file in a "
                "directory that exists and may be written to"
            ) from None

    @property
    def destination(self) -> str:
        """The file."""
        return str(self._path)

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """Written anew from the alert: a body of a foreign writer might hold line breaks. Raises Retry."""
        try:
            await asyncio.to_thread(self._write, alert)
        except OSError as error:
            raise Retry(f"{self._path} cannot be written: {error.strerror}") from error

    async def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, alert: DriftAlert) -> None:
        with self._one:
            self._append(alert)

    def _append(self, alert: DriftAlert) -> None:
        self._reopen_when_moved()
        before = self._read_on(self._file)  # a sink that stood by takes over what another one has begun
        if alert.id in self._known:
            return
        line = encode_alert(alert) + b"\n"
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)  # half a line would spoil the next one
            raise
        self._known.append(alert.id)
        self._seen = before + len(line)

    def _reopen_when_moved(self) -> None:
        ours = os.fstat(self._file)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            moved, self._file = self._file, self._opened()
            os.close(moved)

    def _opened(self) -> int:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")  # whose end could be read, or be on a disk
            self._seen = 0
            self._read_on(file)
            _make_durable(self._path.parent)
        except BaseException:
            os.close(file)
            raise
        return file

    def _read_on(self, file: int) -> int:
        """Learn the alerts that were written since the last look; returns the file's size."""
        size = os.fstat(file).st_size
        if size <= self._seen:
            self._seen = size
            return size
        tail = os.pread(file, _TAIL_BYTES, max(self._seen, size - _TAIL_BYTES))
        if not tail.endswith(b"\n"):
            size += os.write(file, b"\n")  # a power cut tore the last line off: it stays, as a line of its own
        self._remember(tail)
        self._seen = size
        return size

    def _remember(self, tail: bytes) -> None:
        for line in tail.splitlines():
            try:
                self._known.append(decode_alert(line).id)
            except InvalidMessage:
                continue  # torn off by the tail's beginning or by a power cut, or not ours


def _make_durable(directory: Path) -> None:
    """A new file's name is on the disk only when its directory is."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
