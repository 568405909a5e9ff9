"""What the guard adds to the OpenAPI page: the two ways to send a key, and the answers of those who are turned away."""

from __future__ import annotations

from typing import Any

from api.http.admission import NEEDED, OPEN
from api.http.openapi import problem

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_LATE = {"408": problem("The body did not arrive in time; the connection is closed.")}
_TURNED_AWAY = {
    "401": problem("No API key, a wrong one, or an expired one."),
    "429": problem("The key has used up its rate. Try again after Retry-After."),
}


def guarded(page: dict[str, Any], *, keyed: bool) -> dict[str, Any]:
    """keyed: whether keys are asked for. Without them the page must not say so: clients made from it would insist."""
    if keyed:
        page.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in page["paths"].items():
        for method, operation in operations.items():
            added = dict(_LATE) if method == "post" else {}
            if keyed and path not in OPEN:
                operation["security"] = [{"bearer": []}, {"apiKey": []}]
                scope = "predict" if method == "post" else NEEDED
                added |= {**_TURNED_AWAY, "403": problem(f"The key lacks the scope `{scope}`.")}
            responses = operation["responses"]
            operation["responses"] = dict(sorted({**added, **responses}.items()))
    return page
