"""A log record as one line: JSON, or text for people.

Neither shows the message of an exception: it may quote what it choked on (`could not convert 'X' to float`), and that
is somebody's data. The type and the places in the code are there; with API_LOG_LEVEL=debug the message is, too.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """messages: whether exceptions are shown with theirs. worker: which of several processes writes."""

    def __init__(self, *, messages: bool = False, worker: str = "") -> None:
        super().__init__()
        self._messages = messages
        self._worker = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        """time, level, logger, message; then what was given as `extra`; then exception and traceback."""
        line: dict[str, Any] = {
            "time": moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            **self._worker,
            "message": text_of(record),
            **extras(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = " <- ".join(_causes(record.exc_info[1], self._messages))
            line["traceback"] = "\n".join(_places(record.exc_info[1]))
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """As JsonLines, for the eye: extras as name=value, and the traceback under its line."""

    def __init__(self, *, messages: bool = False, worker: str = "") -> None:
        super().__init__()
        self._messages = messages
        self._worker = f"[{worker}] " if worker else ""

    def format(self, record: logging.LogRecord) -> str:
        more = "".join(f" {name}={value}" for name, value in extras(record).items())
        line = f"{self._worker}{moment(record)} {record.levelname} {record.name}: {text_of(record)}{more}"
        if record.exc_info and record.exc_info[1] is not None:
            causes = " <- ".join(_causes(record.exc_info[1], self._messages))
            line = "\n    ".join([f"{line}: {causes}", *_places(record.exc_info[1])])
        return line


def moment(record: logging.LogRecord) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_of(record: logging.LogRecord) -> str:
    """Of asyncio only the first line: under it the event loop describes futures, with the errors that are in them."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller gave as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its cause, the cause of that."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _causes(error: BaseException, messages: bool) -> Iterator[str]:
    for found in _chain(error):
        yield f"{type(found).__name__}: {found}" if messages else type(found).__name__


def _places(error: BaseException) -> Iterator[str]:
    """File, line and function of each call, the innermost last; not the text of the line, which may hold data."""
    for found in reversed(list(_chain(error))):
        for frame in traceback.extract_tb(found.__traceback__):
            yield f"{frame.filename}:{frame.lineno} in {frame.name}"
