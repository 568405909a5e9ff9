"""Labels out of a body: one, or {"labels": [...]}; all at once where all are right, one by one where one is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from api.errors import BodyTooLarge, InvalidRequest, LabelRefused, RequestRefused
from api.labels.faults import LONGEST_ID, diagnose
from api.receipts.receipt import LONGEST
from api.requests.cutting import Cutting, Form, continued
from api.requests.hints import Hints
from contracts.times import UtcTime

LABELS = "labels"
_FORM = Form(
    LABELS, 'must be {"labels": [...]}, each as POST /labels takes one alone', "The body is no batch of labels."
)
_BATCH = re.compile(rb'[ \t\r\n]*+\{[ \t\r\n]*+"labels"[ \t\r\n]*+:')
_LONGEST_BAD = 65_536
"""Bytes of a label whose faults are looked for; a single one may be no longer. Right ones have some 300."""
_WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

PredictionId = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=LONGEST_ID, description="`prediction_id` of the answer."),
]
Receipt = Annotated[
    str, msgspec.Meta(max_length=LONGEST, description="`receipt` of the answer. Without it Redis is asked.")
]
Truth = Annotated[
    bool | float,
    msgspec.Meta(
        description="1 or 0, true or false, for a classifier; the number that was predicted for a regression."
    ),
]
LabelledAt = Annotated[UtcTime, msgspec.Meta(description="When the truth became known. Default: now.")]


class LabelRequest(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The truth about one prediction, as it is sent."""

    prediction_id: PredictionId
    truth: Truth
    receipt: Receipt | None = None
    labelled_at: LabelledAt | None = None


class LabelsRequest(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Many of them."""

    labels: list[LabelRequest]


_decode_one = msgspec.json.Decoder(LabelRequest).decode
_decode_many = msgspec.json.Decoder(LabelsRequest).decode


def is_batch(body: bytes) -> bool:
    """Whether it has the field `labels`; of one that is neither, what is wrong is said as of one label.

    >>> is_batch(b' {"labels" : []}'), is_batch(b'{"prediction_id": "a", "truth": 1}')
    (True, False)
    """
    return _BATCH.match(body) is not None


def read_one(body: bytes, hints: Hints | None = None) -> LabelRequest:
    """hints: of a batch together. Raises Unreadable, BodyTooLarge or LabelRefused."""
    try:
        return _decode_one(body)
    except _WRONG as error:
        if len(body) > _LONGEST_BAD:
            detail = f"is wrong somewhere in its {len(body)} bytes: a label has some 300"
            raise BodyTooLarge("too-large", detail) from error
        raise diagnose(body, str(error), hints or Hints()) from error


def read_all(body: bytes, limit: int) -> list[LabelRequest] | None:
    """The labels, or None where anything is wrong or looks like too many: cut the body then."""
    if body.count(b"{") > limit + 1:
        return None
    try:
        labels = _decode_many(body).labels
    except _WRONG:
        return None
    return labels if 1 <= len(labels) <= limit and not continued(body) else None


class Cut:
    """A batch cut into labels, a little at a time. limit: most of them."""

    def __init__(self, body: bytes, limit: int) -> None:
        self._cutting = Cutting(body, limit, _FORM)

    @property
    def labels(self) -> list[bytes]:
        """Whole when `steps` has come to its end."""
        return self._cutting.rows

    def steps(self) -> Iterator[None]:
        """Raises Unreadable or LabelRefused."""
        try:
            yield from self._cutting.steps()
        except InvalidRequest as error:
            raise LabelRefused(error.category, str(error), error.errors) from error


def read_each(labels: Sequence[bytes]) -> Iterator[LabelRequest | RequestRefused]:
    """Each label or what is wrong with it; slow, so taken bit by bit."""
    hints = Hints()
    for label in labels:
        try:
            yield read_one(label, hints)
        except RequestRefused as error:
            yield error
