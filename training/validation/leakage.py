"""Leakage: a feature that alone ranks the labels almost without error was made from them, or after them."""

from __future__ import annotations

import pandas as pd

from contracts.schema import FeatureSchema
from training.data.columns import Labels
from training.evaluation.alone import alone_auc
from training.validation.finding import Finding


def leakage_findings(features: pd.DataFrame, schema: FeatureSchema, labels: Labels, limit: float) -> list[Finding]:
    """features: of rows that a model may see; labels: 0 or 1, of both."""
    found = []
    for feature in schema.features:
        auc = alone_auc(features[feature.name], labels)
        if auc > limit:
            found.append(
                Finding(
                    f"feature {feature.name!r} alone has an AUC of {auc:.4f} (checks.leakage_auc {limit:g}): it is "
                    "known only after the label, or made from it; remove it from the description",
                    fatal=True,
                )
            )
    return found
