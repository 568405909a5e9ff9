"""Sends rows by `POST /predict/batch` and their late truth by `POST /labels`, each label with its receipt.

One request at a time each: event times then arrive in their order. A request that was not answered is sent again with
the same Idempotency-Key, so nothing is counted twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import aiohttp
import msgspec

from demo.load import RETRY_SECONDS, Tally

BATCH = 1_000
_TIMEOUT = aiohttp.ClientTimeout(total=60)
_PATIENCE_SECONDS = 180.0


class Answer(msgspec.Struct, frozen=True):
    """What an answer says that is needed here."""

    prediction_id: str = ""
    receipt: str = ""
    model_version: str = ""
    role: str = ""


class _Answers(msgspec.Struct, frozen=True):
    predictions: list[Answer]


class _Label(msgspec.Struct, frozen=True):
    prediction_id: str
    receipt: str
    truth: int
    labelled_at: datetime


class _Labels(msgspec.Struct, frozen=True):
    labels: list[_Label]


class _Taken(msgspec.Struct, frozen=True):
    accepted: int
    refused: int


_encode = msgspec.json.Encoder().encode
_answers = msgspec.json.Decoder(_Answers)
_taken = msgspec.json.Decoder(_Taken)
Read = TypeVar("Read")


class Batches:
    """Of one API. tally: every answered id is put there, and every request that had to be sent again is counted.

    name: begins the keys of idempotency: no other sender may use it. As a context manager it holds its connections.
    """

    def __init__(self, url: str, tally: Tally, name: str) -> None:
        self._url, self._tally, self._name = url.rstrip("/"), tally, name
        self._sent = 0
        self._session: aiohttp.ClientSession | None = None
        self.labels = 0
        """Accepted so far."""

    async def __aenter__(self) -> Batches:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers={"content-type": "application/json"})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def predict(self, rows: Sequence[bytes]) -> list[Answer]:
        """Answers in the rows' order; a refused row has an empty id. rows: bodies of `POST /predict`."""
        found: list[Answer] = []
        for at in range(0, len(rows), BATCH):
            part = rows[at : at + BATCH]
            answers = await self._post("/predict/batch", b'{"rows":[' + b",".join(part) + b"]}", _answers)
            if answers is None:
                return found
            found += answers.predictions
            self._tally.answered += [answer.prediction_id for answer in answers.predictions if answer.prediction_id]
            for answer in answers.predictions:
                if not answer.prediction_id:
                    self._tally.refuse(422, "a row of a batch was refused")
        return found

    async def label(self, answers: Sequence[Answer], truths: Sequence[int], at: datetime) -> None:
        """The truth about answered rows, known since `at`."""
        wanted = [
            _Label(answer.prediction_id, answer.receipt, truth, at)
            for answer, truth in zip(answers, truths, strict=True)
            if answer.prediction_id
        ]
        for first in range(0, len(wanted), BATCH):
            taken = await self._post("/labels", _encode(_Labels(wanted[first : first + BATCH])), _taken)
            if taken is None:
                return
            self.labels += taken.accepted
            if taken.refused:
                self._tally.refuse(422, f"{taken.refused} labels were refused")

    async def _post(self, path: str, body: bytes, decoder: msgspec.json.Decoder[Read]) -> Read | None:
        """None: nobody answered for so long that it was given up, or it was refused; the tally knows."""
        if self._session is None:
            raise RuntimeError("use it as a context manager")
        self._sent += 1
        headers = {"idempotency-key": f"{self._name}-{self._sent}"}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            text, status = b"", 0
            try:
                async with self._session.post(self._url + path, data=body, headers=headers) as response:
                    text, status = await response.read(), response.status
            except (aiohttp.ClientError, TimeoutError):
                self._tally.failed += 1
            if status in (200, 202):
                return decoder.decode(text)
            if status not in (0, 409, 503) or time.monotonic() > deadline:
                self._tally.refuse(status, text.decode(errors="replace") or f"no answer from {self._url}{path}")
                return None
            await asyncio.sleep(RETRY_SECONDS)
