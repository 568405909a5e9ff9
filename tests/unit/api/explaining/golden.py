"""What the library shap says of three small models: golden.json, which test_golden.py compares with.

shap installs 570 MB, so it is in no environment of ours. To write the file anew, in an environment of its own:

    python -m venv V && V/bin/pip install shap scikit-learn pandas msgspec onnxruntime pydantic-settings
    V/bin/python -m tests.unit.api.explaining.golden

The models are in the file too, in their compiled form: a later scikit-learn may fit others.
"""

from __future__ import annotations

import base64
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from api.explaining.columns import owners
from contracts.compiled import Sample
from tests.purchases import KINDS, ROWS, SCHEMA, compiled, fitted, purchases
from training.compiled.export import frame_of

GOLDEN = Path(__file__).with_name("golden.json")


def shaps(kind: str) -> tuple[float, Any]:
    """shap's expected value, and its values of the encoded columns, shape (rows, columns)."""
    import shap

    pipeline = fitted(kind)
    encoded, reference = (pipeline[:-1].transform(frame) for frame in (frame_of(ROWS, SCHEMA), purchases()[0]))
    if kind == "logistic":
        masker = shap.maskers.Independent(reference, max_samples=len(reference))
        explainer = shap.LinearExplainer(pipeline[-1], masker)
        return float(explainer.expected_value), explainer.shap_values(encoded)
    explainer = shap.TreeExplainer(pipeline[-1], feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(encoded, check_additivity=False))
    expected = np.ravel(explainer.expected_value)
    return float(expected[-1]), values[..., 1] if values.ndim == 3 else values


def main() -> None:
    """Write the file."""
    found: dict[str, Any] = {"made_with": {name: version(name) for name in ("shap", "scikit-learn")}, "models": {}}
    for kind in KINDS:
        form = compiled(kind)
        base, columns = shaps(kind)
        features = np.zeros((len(ROWS), len(SCHEMA.names)))
        np.add.at(features.T, owners(form.blocks), columns.T)
        small = replace(form, sample=Sample(form.sample.rows[:1], form.sample.scores[:1]))
        found["models"][kind] = {
            "base": base,
            "features": features.tolist(),
            "compiled": base64.b64encode(small.to_bytes()).decode(),
        }
    GOLDEN.write_text(json.dumps({**found, "rows": ROWS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
