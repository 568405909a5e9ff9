"""Rescored: the model as it is in the registry, asked again about the test rows that are kept with it.

What was measured in the process that trained it is true of what is served only if both give the same scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from training.errors import RegistryError
from training.evaluation.held_out import HeldOut, scores_digest
from training.evaluation.measures import measure
from training.evaluation.record import TEST_FILE
from training.fitting.fit import one_openmp_thread
from training.fitting.pipeline import scores_of
from training.registry.records import Version
from training.registry.registered import Registered
from training.reports.card import Known, model_card
from training.reports.card_files import CARD_FILE, known_of


@dataclass(frozen=True)
class Rescored:
    """digest: of the scores now. apart: largest difference of a score. metrics: of the scores now."""

    known: Known
    digest: str
    apart: float
    metrics: dict[str, float]

    @property
    def same(self) -> bool:
        """Whether every score is as recorded, bit for bit."""
        return self.digest == self.known.evaluation.scores_digest


def rescored(registered: Registered, version: Version) -> Rescored:
    """Raises RegistryError and DataError."""
    known, data = known_of(registered, version), registered.fetch(version, TEST_FILE)
    if data is None:
        raise RegistryError(f"{version.model}/{version.version} has no {TEST_FILE}: train it with --config")
    rows = HeldOut.from_parquet(data, known.baseline.schema)
    model = registered.registry.load(version)
    with one_openmp_thread():
        scores = scores_of(model, rows.features)
    found = known.evaluation
    return Rescored(
        known,
        scores_digest(scores),
        float(np.abs(scores - rows.scores).max()),
        measure(rows.labels, scores, found.threshold, found.costs),
    )


def rescored_lines(found: Rescored) -> list[str]:
    """For a terminal."""
    one = found.known.evaluation
    shown = ", ".join(f"{name} {found.metrics[name]:.4f}" for name in ("auc", "average_precision", "log_loss", "cost"))
    if found.same:
        told = "the model in the registry gives every test row the score that is on record"
    else:
        told = f"the model in the registry gives OTHER scores than on record, up to {found.apart:.2g} apart"
    return [f"test        {one.rows['test'].rows:,} rows: {shown}", f"{one.model}/{one.version}: {told}"]


def rescored_files(found: Rescored) -> dict[str, bytes]:
    """File name -> bytes."""
    return {
        "evaluation.json": found.known.evaluation.to_bytes(),
        "metrics.json": msgspec.json.format(msgspec.json.encode(found.metrics), indent=2),
        CARD_FILE: model_card(found.known).encode(),
    }
