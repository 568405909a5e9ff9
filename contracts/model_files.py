"""A model version besides its estimator, and what the estimator is fed: training writes it, the api reads it.

A version holds one scikit-learn estimator (MLflow's sklearn flavour, serialised by skops), `baseline.json` and, where
the estimator has a compiled form, `compiled.msgpack`. The estimator takes a pandas frame whose columns are the schema's
features in schema order, with the types of FRAME_DTYPES, and its score is column 1 of `predict_proba`, or `predict`
where it has no such method.
"""

from __future__ import annotations

from contracts.schema import Kind

BASELINE_FILE = "baseline.json"
"""The baseline's name among the artifacts of the logged model: `models:/NAME/VERSION` + `/` + this."""

COMPILED_FILE = "compiled.msgpack"
"""The compiled form's name there; not every version has one. See contracts.compiled."""

SKOPS_TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
"""What a model file may contain beyond what skops trusts by itself. A file that asks for more is refused, whatever it
says of itself: loading a type can run its code. Both ends pass this list, so what training can write the api can read.
"""

FRAME_DTYPES: dict[Kind, str] = {"numeric": "float64", "categorical": "str", "boolean": "float64"}
"""The pandas dtype of a column, both when fitting and when scoring. A missing value is NaN in all three; a boolean is
1.0 or 0.0. (pandas 3: `str` keeps NaN apart from the text "nan".)
"""
