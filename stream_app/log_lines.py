"""The log: lines on standard error, of which the libraries have few."""

from __future__ import annotations

import logging
import sys

_SELDOM_SECONDS = 30.0


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
    """Lets a line of aiokafka's pass once in half a minute: it repeats each once a second while a broker is away."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        what = record.name, str(record.msg)
        if not record.name.startswith("aiokafka") or record.created - self._said.get(what, 0.0) > _SELDOM_SECONDS:
            self._said[what] = record.created
            return True
        return False
