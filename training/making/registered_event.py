"""The event on `model-events` that tells of a new version."""

from __future__ import annotations

from datetime import datetime

from contracts.model_events import ModelEvent
from training.registry.records import Run, Version


def registered_event(version: Version, run: Run, *, alias: str, at: datetime, by: str, auc: float) -> ModelEvent:
    """auc: of the validation rows."""
    return ModelEvent(
        id=f"registered/{version.model}/{version.version}",
        kind="registered",
        at=at,
        model=version.model,
        version=version.version,
        by=by,
        reason=f"{run.params['estimator']} trained on {run.data.rows:,} rows of {run.data.name}",
        details={
            "alias": alias,
            "data_digest": run.data.digest,
            "code_revision": run.tags["code_revision"],
            "validation_auc": auc,
        },
    )
