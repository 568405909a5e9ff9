"""What is found again and again is logged seldom, and all else each time."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator

import pytest

from stream_app import log_lines
from stream_app.log_lines import log_to_stderr, seldom


class Log:
    """A process that logs as a worker does. lines: what it has said, without the moment."""

    def __init__(self, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._said = io.StringIO()
        monkeypatch.setattr("sys.stderr", self._said)
        logging.getLogger().handlers[:] = []  # pytest's own
        log_to_stderr(level)
        self.logger = logging.getLogger("stream_app.agents.counting")

    @property
    def lines(self) -> list[str]:
        return [line.partition(": ")[2] for line in self._said.getvalue().splitlines()]


Logging = Callable[[str], Log]


@pytest.fixture
def log(loggers_as_they_were: None, monkeypatch: pytest.MonkeyPatch) -> Logging:
    return lambda level: Log(level, monkeypatch)


@pytest.fixture
def loggers_as_they_were() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "faust", "mode", "aiokafka", "stream_app.delivery")]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers[:]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def at(second: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logging.time.time", lambda: second)


def test_what_says_so_is_logged_once_about_each(log: Logging) -> None:
    worker = log("info")
    for _ in range(5):
        for name in ("flights/2", "payments/1"):
            worker.logger.warning("no baseline for %s", name, extra=seldom(name))
    assert worker.lines == ["no baseline for flights/2", "no baseline for payments/1"]


def test_it_is_logged_again_half_a_minute_later(log: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = log("info")
    for second in (1_000, 1_029, 1_031, 1_050, 1_062):
        at(second, monkeypatch)
        worker.logger.warning("%s", second, extra=seldom("flights/2"))
    assert worker.lines == ["1000", "1031", "1062"]


def test_all_else_is_logged_each_time(log: Logging) -> None:
    worker = log("info")
    for _ in range(3):
        worker.logger.warning("not merged, next try in %g s", 1)
    assert len(worker.lines) == 3


def test_of_the_kafka_client_a_line_passes_once(log: Logging) -> None:
    worker = log("info")
    for _ in range(3):
        logging.getLogger("aiokafka.conn").error("no broker at %s", "localhost")
    assert worker.lines == ["no broker at localhost"]


def test_what_foreign_records_name_does_not_fill_the_memory(log: Logging, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = log("info")
    (chosen,) = logging.getLogger().handlers[0].filters
    assert isinstance(chosen, log_lines._Seldom)
    at(1_000.0, monkeypatch)
    for number in range(3_000):
        worker.logger.warning("no baseline", extra=seldom(f"{number}" + "x" * 10_000))
    assert len(chosen._said) == log_lines._REMEMBERED
    assert "2999" in next(reversed(chosen._said))[2]
    assert max(len(about) for _, _, about in chosen._said) <= 200


def test_at_debug_every_line_is_there(log: Logging) -> None:
    worker = log("debug")
    for _ in range(3):
        worker.logger.warning("no baseline", extra=seldom("flights/2"))
    assert len(worker.lines) == 3
