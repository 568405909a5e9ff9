"""(c) The empty endpoint: FastAPI's own cost. And below it what uvicorn alone does: the load tool's ceiling.

With a return type FastAPI writes the answer with pydantic's encoder, which is faster here than without one.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:
    await request.body()
    return {"score": 0.5, "decision": True}


_BODY = b'{"score":0.5,"decision":true}'


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answers anything, and knows no framework."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})
