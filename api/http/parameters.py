"""Parameters of a path and a query: unknown ones are refused, and what is wrong is said in our words.

A filter that is not known and left out of account would answer with what nobody asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.http.problems import Fault

_LONGEST_NAME = 100
_MOST_UNKNOWN = 20

_WORDS = {
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and not so long a one",
    "int_type": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_short": "may not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "missing": "is missing",
}
"""By the validator's name for what is wrong. "may not be empty": the least length of each text is 1."""


async def only_known(request: Request) -> None:
    """A dependency for a route. Raises RequestValidationError, which names each parameter that it does not have."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = [parameter.alias for parameter in route.dependant.query_params]
    unknown = [name for name in request.query_params if name not in known][:_MOST_UNKNOWN]
    if unknown:
        raise RequestValidationError([_unknown(name[:_LONGEST_NAME], known) for name in unknown])


def faults(errors: Sequence[Any]) -> tuple[Fault, ...]:
    """What FastAPI found, as it is told."""
    return tuple(Fault(_detail(error), parameter=str(error["loc"][-1])) for error in errors)


def _detail(error: Any) -> str:
    words = _WORDS.get(error["type"])
    if words is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return words.format(**error.get("ctx", {}))


def _unknown(name: str, known: Sequence[str]) -> dict[str, Any]:
    near = difflib.get_close_matches(name, known, 1)
    there = f"there are {', '.join(known)}" if known else "there are none here"
    fix = f"did you mean {near[0]}?" if near else there
    return {"type": "unknown", "loc": ("query", name), "msg": f"is no parameter: leave it out; {fix}"}
