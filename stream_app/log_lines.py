"""The log: lines on standard error, of which the libraries have few, and what is found again and again has one seldom.

A line of ours is one of those when it is logged with `extra=seldom(about)`.
"""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict

_SELDOM_SECONDS, _REMEMBERED = 30.0, 1_000
_ABOUT = "seldom_about"


def seldom(about: object) -> dict[str, str]:
    """For `extra` of a line: within half a minute it is logged once about this.

    >>> seldom(["flights/2"])
    {'seldom_about': "['flights/2']"}
    """
    return {_ABOUT: f"{about!r:.200}"}


def log_to_stderr(level: str) -> None:
    """From now on, for the whole process. level: as STREAM_LOG_LEVEL; at `debug` the libraries say all they have."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    if level != "debug":
        # They tell of every step of every rebalance; what matters of it is in our own lines and in the metrics.
        for chatty in ("faust", "mode", "aiokafka"):
            logging.getLogger(chatty).setLevel("ERROR")
        logging.getLogger("stream_app.delivery").setLevel("WARNING")  # Faust's services log under our modules' names
        logging.getLogger().handlers[0].addFilter(_Seldom())


class _Seldom(logging.Filter):
    """Lets a line pass once in half a minute, of those that say so and of aiokafka's, which repeats each once a second
    while a broker is away.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: OrderedDict[tuple[str, str, str], float] = OrderedDict()  # the longest ago first

    def filter(self, record: logging.LogRecord) -> bool:
        about = getattr(record, _ABOUT, "" if record.name.startswith("aiokafka") else None)
        if about is None:
            return True
        what, since = (record.name, str(record.msg), about), record.created - _SELDOM_SECONDS
        if self._said.get(what, 0.0) >= since:
            return False
        self._said[what] = record.created
        self._said.move_to_end(what)
        if len(self._said) > _REMEMBERED:  # foreign records may name anything
            self._said.popitem(last=False)
        return True
