"""Log lines: one for each record, JSON where a collector reads, and never the message of an exception."""

import io
import json
import logging
import warnings
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.logs.allowance import Allowance
from api.logs.lines import JsonLines, TextLines
from api.logs.start import BoundedRate, start_logging
from tests.logs import own_logging


def a_record(message: str = "said %s", *values: Any, error: BaseException | None = None, **extra: Any) -> Any:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("api.part", logging.WARNING, "f.py", 1, message, values, exc_info)
    record.__dict__.update(extra)
    return record


def raised() -> Exception:
    """An error that quotes what it choked on, caused by another that does, too."""
    try:
        try:
            float("MARKER-1")
        except ValueError as cause:
            raise RuntimeError("MARKER-2") from cause
    except RuntimeError as error:
        return error


def test_a_line_is_json_with_time_level_logger_message_and_what_was_added():
    line = json.loads(JsonLines().format(a_record("%d rows", 3, category="rate", status=429)))

    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "warning",
        "logger": "api.part",
        "message": "3 rows",
        "category": "rate",
        "status": 429,
    }


def test_text_has_the_same():
    line = TextLines().format(a_record("%d rows", 3, category="rate", status=429))

    assert line.endswith("Z WARNING api.part: 3 rows category=rate status=429")


def test_of_several_workers_each_line_says_whose_it_is():
    out = {form: io.StringIO() for form in ("json", "text")}
    for form, stream in out.items():
        with own_logging():
            start_logging("info", form, stream, worker="01")
            logging.getLogger("api.part").warning("said")

    assert json.loads(out["json"].getvalue())["worker"] == "01"
    assert out["text"].getvalue().startswith("[01] 2")
    assert out["text"].getvalue().endswith("WARNING api.part: said\n")


@pytest.mark.parametrize("lines", [JsonLines, TextLines])
def test_an_exception_is_shown_by_its_types_and_places_and_never_by_what_it_quotes(lines: type[logging.Formatter]):
    text = lines().format(a_record("failed", error=raised()))

    assert "RuntimeError <- ValueError" in text
    assert "test_lines.py" in text
    assert "in raised" in text
    assert "MARKER" not in text


def test_an_exception_stays_in_its_line():
    text = JsonLines().format(a_record("failed\nbadly", error=raised()))

    assert "\n" not in text
    assert "test_lines.py" in json.loads(text)["traceback"]


def test_when_debugging_the_messages_are_shown():
    assert "RuntimeError: MARKER-2 <- ValueError: " in JsonLines(messages=True).format(a_record("x", error=raised()))


def test_what_asyncio_tells_of_a_lost_future_does_not_show_its_error():
    record = a_record("Future exception was never retrieved\nfuture: <Future exception=ValueError('MARKER')>")
    record.name = "asyncio"

    assert json.loads(JsonLines().format(record))["message"] == "Future exception was never retrieved"


@given(st.text(), st.text())
def test_whatever_is_logged_is_one_line_of_json(message: str, value: str):
    text = JsonLines().format(a_record("%s", message.encode("utf-8", "replace").decode(), value=value.encode()))

    assert "\n" not in text
    json.loads(text)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=200), st.integers(1, 5))
def test_in_a_second_a_kind_has_at_most_so_many_lines_and_those_left_out_are_counted(told, most):
    allowance, written, missed = Allowance(most), {"a": [], "b": []}, {"a": 0, "b": 0}
    for kind, now in sorted(told, key=lambda one: one[1]):
        suppressed = allowance.suppressed(kind, now)
        if suppressed is not None:
            written[kind].append(int(now))
            missed[kind] += suppressed
    for kind in "ab":
        assert all(written[kind].count(second) <= most for second in range(31))
        told_of = sum(1 for each, _ in told if each == kind)
        assert len(written[kind]) + missed[kind] <= told_of
        assert (told_of == 0) == (written[kind] == [])


def test_what_was_left_out_is_in_the_next_line_of_its_kind():
    bounded = BoundedRate(per_second=2)
    records = [a_record("same %d", n) for n in range(5)] + [a_record("other")]
    for record in records:
        record.created = 1000.0
    assert [bounded.filter(record) for record in records] == [True, True, False, False, False, True]

    later = a_record("same %d", 9)
    later.created = 1001.0

    assert bounded.filter(later)
    assert later.suppressed == 3


def test_the_kinds_that_are_told_apart_are_bounded():
    allowance = Allowance(kinds=10)
    for number in range(100):
        allowance.suppressed(number, 0.0)

    assert len(allowance._counts) <= 10


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("form", "out", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
    ],
)
def test_a_person_gets_text_and_a_collector_json(form: Any, out: io.StringIO, is_json: bool):
    with own_logging():
        start_logging("info", form, out)
        logging.getLogger("api").info("hello")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        warnings.warn("look here", stacklevel=1)

    lines = out.getvalue().splitlines()
    assert len(lines) >= 3
    if is_json:
        loggers = [json.loads(line)["logger"] for line in lines]
        assert loggers == ["api", "uvicorn.error", "py.warnings"]
    else:
        assert "INFO api: hello" in lines[0]


def test_what_mlflows_http_client_tries_again_is_not_said_each_time():
    out = io.StringIO()
    with own_logging():
        start_logging("info", "text", out)
        logging.getLogger("urllib3.connectionpool").warning("Retrying (Retry(total=0)) after connection broken")
        logging.getLogger("api.predicting.champion").warning("models: MLflow does not answer")
    assert [line.split(": ", 1)[1] for line in out.getvalue().splitlines()] == ["models: MLflow does not answer"]
