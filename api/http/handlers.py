"""Every error is a problem (RFC 9457), whoever found it: a route, FastAPI's parameters, or its router."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.errors import ApiError
from api.http.problems import Fault, of_error, of_parameters, of_status
from api.http.responses import to_response


def handle_errors(app: FastAPI) -> None:
    """Install the handlers."""

    async def api_error(_: Request, error: Exception) -> Response:
        return to_response(of_error(error))

    async def http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = tuple((error.headers or {}).items())
        return to_response(of_status(error.status_code, str(error.detail), headers))

    async def parameter_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return to_response(of_parameters(_faults(error.errors())))

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, parameter_error)
    app.add_exception_handler(Exception, api_error)


def _faults(errors: Sequence[Any]) -> tuple[Fault, ...]:
    return tuple(
        Fault(error["msg"].removeprefix("Value error, "), parameter=str(error["loc"][-1])) for error in errors
    )
