"""What schemathesis is told besides the OpenAPI page: rules that JSON Schema has no words for, and what to write down.

Loaded by `SCHEMATHESIS_HOOKS=tests.fuzz_hooks`; the ids of answered predictions go to the file TIDEMARK_FUZZ_ANSWERS.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import schemathesis
from schemathesis.specs.openapi.checks import (
    AcceptedNegativeData,
    negative_data_rejection,
    positive_data_acceptance,
)

from tests.fuzz_keys import key_of, refusal_of

_ANSWERS = os.environ.get("TIDEMARK_FUZZ_ANSWERS", os.devnull)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_UNFIT = re.compile(r":(receipt-[a-z]+|truth|label-time)$")
"""Of a label: told of its prediction, which JSON Schema does not know; an invented receipt is none."""
_SHARE = 4  # one in so many keys is a bad one: as it was generated, or with a blank in it
_BATCHES = {"/predict/batch": ("rows", "predictions", "answered"), "/labels": ("labels", "labels", "accepted")}
_THIS_YEAR = datetime.now(UTC).year


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Bring good bodies into the range that the page tells in words. What is bad in other ways stays as it is."""
    if isinstance(body, dict):
        rows = [one for name in ("rows", "labels") if isinstance(body.get(name), list) for one in body[name]]
        for row in [body, *rows]:
            if isinstance(row, dict):
                _mend(row)
    return body


def _mend(row: dict[str, Any]) -> None:
    """event_time: from 1970 to a year from now; labelled_at alike. top: JSON Schema calls 14.0 an integer."""
    for name in ("event_time", "labelled_at"):
        time = row.get(name)
        dated = isinstance(time, str) and time[:4].isdigit() and time[4:5] == "-"
        if dated and not 1971 <= int(time[:4]) <= _THIS_YEAR:
            row[name] = "2024" + time[4:]  # a leap year: it has every day that another one has
    top = row.get("top")
    if isinstance(top, float) and top.is_integer():
        row["top"] = int(top)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """An API key, see tests.fuzz_keys; and an Idempotency-Key of the form that the page tells in words, and another one
    for another body; but some are of no such form.
    """
    case.headers.update(key_of(case))
    given = (case.headers or {}).get("Idempotency-Key")
    if given is None:
        return
    good = uuid5(NAMESPACE_URL, f"{given!r} {case.path} {case.body!r}")
    if good.int % _SHARE:
        case.headers["Idempotency-Key"] = str(good)
    elif not _bad_key(given):
        case.headers["Idempotency-Key"] = f"{good} {good}"


def _bad_key(key: Any) -> bool:
    """Blanks around it do not arrive; one of nothing else counts as none."""
    sent = str(key).strip(" \t")
    return sent != "" and _KEY.fullmatch(sent) is None


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
    """As negative_data_rejection, but a bad row of a batch is refused in its own place, and the batch is answered, as
    is one of many labels.
    """
    try:
        return negative_data_rejection(context, response, case)
    except AcceptedNegativeData:
        if case.path not in ("/predict/batch", "/labels") or response.json()["refused"] == 0:
            raise


@schemathesis.check
def good_data_is_taken(context: Any, response: Any, case: Any) -> Any:
    """As positive_data_acceptance, but an Idempotency-Key that is none is refused, and no other is; and so is a label
    that does not fit its prediction, and an explanation of a version that is not loaded.
    """
    if refusal_of(case) is not None:
        return None
    key = (case.headers or {}).get("Idempotency-Key")
    if response.status_code == 400 and response.json()["type"].endswith(":idempotency-key"):
        assert _bad_key(key), f"{key!r} is a good key"
        return None
    if case.path == "/labels" and response.status_code == 422 and _UNFIT.search(response.json()["type"]):
        return None
    if case.path == "/explain" and response.status_code == 422 and _faults(response) == ["/version"]:
        return None
    if case.path in ("/predict", "/predict/batch", "/labels") and response.status_code in (200, 202):
        assert key is None or not _bad_key(key), f"{key!r} was taken"
    return positive_data_acceptance(context, response, case)


@schemathesis.check
def keys_open_what_they_are_for(context: Any, response: Any, case: Any) -> None:
    """Whatever else a request says, a key that is not good is refused, and no other is. 405 comes before keys."""
    refusal = refusal_of(case)
    if refusal is None:
        assert response.status_code not in (401, 403)
    elif response.status_code != 405:
        assert response.status_code == refusal


def _faults(response: Any) -> list[str]:
    """Where they are."""
    return [fault["pointer"] for fault in response.json().get("errors", ())]


@schemathesis.check
def each_row_has_its_answer(context: Any, response: Any, case: Any) -> None:
    """A batch that was worked on tells about every row, and its sums are right."""
    sent, told, taken = _BATCHES.get(case.path, ("", "", ""))
    if not sent or response.status_code not in (200, 202):
        return
    body = response.json()
    answered = sum("prediction_id" in row for row in body[told])
    assert (body[taken], body["refused"]) == (answered, len(body[told]) - answered)
    rows = case.body.get(sent) if isinstance(case.body, dict) else None
    if isinstance(rows, list):
        assert len(rows) == len(body[told])
