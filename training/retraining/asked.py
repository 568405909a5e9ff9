"""Asked: the training.yaml as a retraining takes it: who is better is judged by rows that the champion has not seen.

    turn 1   base ──────────┐ collected ─────────┐
             trained on     │ trained on, judged │      version 2 has seen all of it
    turn 2   base, and what was collected then   │ new ───────────────┐
             trained on                          │ trained on, judged │

Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec.structs import replace

from training.configuration.config import Config
from training.evaluation.record import Evaluation


def asked_of(
    config: Config, champion: Evaluation | None, features: Collection[str], first: datetime | None = None
) -> tuple[Config, list[str]]:
    """And what to say of it. champion: its evaluation, None: it has none. features: of the predictions, which are all
    that a row can be told apart by. first: event time of the first collected row behind a base, None without one.
    """
    said, ends = [], [] if champion is None else [part.last for part in champion.rows.values() if part.last is not None]
    seen = max(ends) + timedelta(milliseconds=1) if ends else None
    if seen is None and first is None:
        said.append(
            "until when the champion was trained is not known: rows that it has seen may be among those that judge"
        )
    before = max((one for one in (config.split.train_only_before, first, seen) if one is not None), default=None)
    if before is not None:
        said.append(
            f"rows before {before:%Y-%m-%dT%H:%M:%SZ} are only trained on; the others judge, and make the baseline"
        )
    if absent := [name for name in config.segments if name not in features]:
        said.append(
            f"segments {', '.join(absent)}: predictions do not have them, so rows cannot be told apart by them; "
            "a fairness gate that names them fails"
        )
    config = replace(config, split=replace(config.split, train_only_before=before))
    return replace(config, segments=tuple(name for name in config.segments if name not in absent)), said
