"""Logging as the process has it, in a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_logging() -> Iterator[None]:
    """What is set up inside is gone afterwards, and pytest's own handlers, which it replaces, are back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        for handler in handlers:
            root.removeHandler(handler)
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
