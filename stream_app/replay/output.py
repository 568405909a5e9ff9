"""Where the lines of a replay go, and what people are told meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from stream_app.errors import ReplayError
from stream_app.replay.lines import Line, encode_line

_SAY_SECONDS = 5.0


class Output(AbstractContextManager["Output"]):
    """Standard output, or a file. What that held is gone with the first write, and not before: until then the source
    may turn out to be of no use. Raises ReplayError when it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, lines: Iterable[Line]) -> None:
        """Written and flushed, so that a reader at the other end sees each step. BrokenPipeError: it has gone."""
        left = memoryview(b"".join(map(encode_line, lines)))
        try:
            target = self._opened()
            while left:  # with PYTHONUNBUFFERED a signal ends a write half-way, and that is no error
                left = left[target.write(left) :]
            target.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from error

    def _opened(self) -> BinaryIO:
        if self._path is None:
            return sys.stdout.buffer
        if self._file is None:
            self._file = self._path.open("wb")
        return self._file

    def _failed(self, error: OSError) -> ReplayError:
        where = "standard output" if self._path is None else f"--output {self._path}"
        return ReplayError(f"{where}: cannot be written: {error.strerror or error}")


class Progress:
    """A line for people now and then. seconds: a clock that never goes back."""

    def __init__(self, say: Callable[[str], None], seconds: Callable[[], float]) -> None:
        self._say, self._seconds = say, seconds
        self._last = seconds()

    def tell(self, read: int, windows: int) -> None:
        """So far."""
        if self._seconds() - self._last >= _SAY_SECONDS:
            self._last = self._seconds()
            self._say(f"{read:,} events read, {windows:,} windows so far")
