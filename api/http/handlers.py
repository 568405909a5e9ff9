"""Every error is a problem (RFC 9457), whoever found it: a route, FastAPI's parameters, or its router.

It is counted here, once. What goes wrong with a POST of JSON does not come here: see `api.http.exchange`.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.errors import ApiError, RequestRefused
from api.http.admission import CLIENT
from api.http.body import ClientGone
from api.http.parameters import faults
from api.http.plain import IN_SCOPE
from api.http.problems import PARAMETER, Reply, of_error, of_parameters, of_status, why, why_status
from api.http.refusals import Refusals
from api.http.responses import CLIENT_GONE, to_response
from api.telemetry import Telemetry


def handle_errors(app: FastAPI, refusals: Refusals, telemetry: Telemetry) -> None:
    """Install the handlers. refusals: told of each."""

    def noted(request: Request, word: str, reply: Reply, client: str = "") -> Response:
        (telemetry.refused if reply.status < 500 else telemetry.failed).labels(word).inc()
        # the route's own path: what was asked for may have somebody's id in it
        path = getattr(request.scope.get("route"), "path", "-")
        refusals.note(
            word, reply.status, path, request.scope[IN_SCOPE].encode(), client or request.scope.get(CLIENT, "")
        )
        return to_response(reply)

    async def api_error(request: Request, error: Exception) -> Response:
        client = error.client if isinstance(error, RequestRefused) else ""
        return noted(request, why(error), of_error(error), client)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = tuple((error.headers or {}).items())
        return noted(request, why_status(error.status_code), of_status(error.status_code, headers))

    async def parameter_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return noted(request, PARAMETER, of_parameters(faults(error.errors())))

    async def client_gone(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_GONE)

    app.add_exception_handler(ClientGone, client_gone)
    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, parameter_error)
    app.add_exception_handler(Exception, api_error)
