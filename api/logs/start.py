"""Logging of the whole process, uvicorn's and the libraries' too: to stderr, one line for each record."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

from api.logs.allowance import Allowance
from api.logs.lines import JsonLines, TextLines

Format = Literal["auto", "json", "text"]

# Their errors reach us as exceptions, and are said once by us.
_QUIET = (
    ("aiokafka", logging.CRITICAL),
    ("mlflow", logging.ERROR),
    ("alembic", logging.ERROR),
    ("urllib3", logging.ERROR),  # MLflow's: each attempt
    ("uvicorn", logging.WARNING),
)


class BoundedRate(logging.Filter):
    """At most so many lines a second of one kind, which is a logger's message before its values are put in.

    A stranger who sends what is no HTTP makes uvicorn write a line each time.
    """

    def __init__(self, per_second: int = 20) -> None:
        super().__init__()
        self._allowance = Allowance(per_second)

    def filter(self, record: logging.LogRecord) -> bool:
        """The next line that is written carries the number of those that were not, as `suppressed`."""
        kind = (record.name, record.msg if isinstance(record.msg, str) else "", getattr(record, "category", None))
        missed = self._allowance.suppressed(kind, record.created)
        if missed:
            record.suppressed = missed
        return missed is not None


def start_logging(level: str, form: Format = "auto", stream: TextIO | None = None, *, worker: str = "") -> None:
    """level: debug, info, warning or error. stream: stderr. worker: which of several processes this is, for each line.

    auto: text on a terminal, where somebody reads, and JSON elsewhere, where a collector does.
    """
    out = sys.stderr if stream is None else stream
    messages = level == "debug"
    as_text = form == "text" or (form == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    lines = TextLines if as_text else JsonLines
    handler.setFormatter(lines(messages=messages, worker=worker))
    handler.addFilter(BoundedRate())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)  # whatever a library has set up
    logging.captureWarnings(True)
    for name, quiet in _QUIET:
        logging.getLogger(name).setLevel(quiet)
