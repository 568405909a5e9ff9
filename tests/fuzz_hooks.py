"""What schemathesis is told besides the OpenAPI page: rules that JSON Schema has no words for, and what to write down.

Loaded by `SCHEMATHESIS_HOOKS=tests.fuzz_hooks`; the ids of answered predictions go to the file TIDEMARK_FUZZ_ANSWERS.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import schemathesis
from schemathesis.specs.openapi.checks import AcceptedNegativeData, negative_data_rejection

_ANSWERS = os.environ.get("TIDEMARK_FUZZ_ANSWERS", os.devnull)
_THIS_YEAR = datetime.now(UTC).year


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Bring good bodies into the range that the page tells in words. What is bad in other ways stays as it is."""
    if isinstance(body, dict):
        for row in [body, *(body["rows"] if isinstance(body.get("rows"), list) else ())]:
            if isinstance(row, dict):
                _mend(row)
    return body


def _mend(row: dict[str, Any]) -> None:
    """event_time: from 1970 to a year from now. top: JSON Schema calls 14.0 an integer."""
    time = row.get("event_time")
    if isinstance(time, str) and time[:4].isdigit() and time[4:5] == "-" and not 1971 <= int(time[:4]) <= _THIS_YEAR:
        row["event_time"] = "2024" + time[4:]  # a leap year: it has every day that another one has
    top = row.get("top")
    if isinstance(top, float) and top.is_integer():
        row["top"] = int(top)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """An Idempotency-Key of the form that the page tells in words, and another one for another body."""
    given = (case.headers or {}).get("Idempotency-Key")
    if given is not None:
        case.headers["Idempotency-Key"] = str(uuid5(NAMESPACE_URL, f"{given!r} {case.path} {case.body!r}"))


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Write down each prediction that was answered."""
    if response.status_code != 200 or case.method.upper() != "POST" or case.path == "/explain":
        return
    body = response.json()
    answered = [row for row in body.get("predictions", [body]) if "prediction_id" in row]
    with open(_ANSWERS, "a") as file:
        file.writelines(f"{row['prediction_id']}\n" for row in answered)


@schemathesis.check
def bad_data_is_refused(context: Any, response: Any, case: Any) -> Any:
    """As negative_data_rejection, but a bad row of a batch is refused in its own place, and the batch is answered."""
    try:
        return negative_data_rejection(context, response, case)
    except AcceptedNegativeData:
        if case.path != "/predict/batch" or response.json()["refused"] == 0:
            raise


@schemathesis.check
def each_row_has_its_answer(context: Any, response: Any, case: Any) -> None:
    """A batch that was worked on tells about every row, and its sums are right."""
    if case.path != "/predict/batch" or response.status_code != 200:
        return
    body = response.json()
    answered = sum("prediction_id" in row for row in body["predictions"])
    assert (body["answered"], body["refused"]) == (answered, len(body["predictions"]) - answered)
    rows = case.body.get("rows") if isinstance(case.body, dict) else None
    if isinstance(rows, list):
        assert len(rows) == len(body["predictions"])
