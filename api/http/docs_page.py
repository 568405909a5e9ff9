"""GET /openapi.json, and GET /docs: Swagger UI from our own files, which fastapi-offline carries, for a browser without
internet. Both are open to everybody; what /openapi.json says may depend on who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from api.http.page_parts import Part
from api.requests.headers import RequestHeaders, read_headers

PAGE = "/openapi.json"
DOCS = "/docs"
ASSETS = "/docs/assets"
_BY_KEY = {"vary": "Authorization, X-API-Key"}
_SHOWN = {"tryItOutEnabled": True, "displayRequestDuration": True, "defaultModelsExpandDepth": 0}


class WholeFiles(StaticFiles):
    """Answers no Range, as a server may (RFC 9110, section 14.2): what is wrong with one would get plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def file_response(self, *args: Any, **named: Any) -> Response:
        """That of one file."""
        response = super().file_response(*args, **named)
        response.headers["accept-ranges"] = "none"
        return response


def add_docs(app: FastAPI, page: Callable[[RequestHeaders], Part]) -> None:
    """page: for who sends these headers."""

    @app.get(PAGE, include_in_schema=False)
    async def openapi(request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")
        found = page(read_headers(request.scope["headers"]))
        return JSONResponse({**found, "servers": [{"url": root}]} if root else found, headers=_BY_KEY)

    app.mount(ASSETS, WholeFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")

    @app.get(DOCS, include_in_schema=False)
    async def docs(request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{PAGE}",
            title=f"{app.title}: API",
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
            swagger_ui_parameters=_SHOWN,
        )
