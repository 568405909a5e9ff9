"""The retraining of the second act without servers: is the new version better on rows that neither has seen?

What `python -m training watch` would collect by then is cut out of the data set; training and gates are the real ones.
"""

from __future__ import annotations

import msgspec
import pandas as pd
from msgspec.structs import replace
from sklearn.metrics import roc_auc_score

from bench.versions import Trained, judged, samples_of, trained
from contracts.times import moment
from demo.datasets.dataset import Dataset, SecondAct
from training.configuration.config import Config
from training.data.columns import feature_frame
from training.fitting.pipeline import scores_of

WINDOW = "1h"
CONFIG = Config(model="loop", data=".", folds=3, jobs=1, window=WINDOW)
"""As the demo's training.yaml."""
_LATE_WINDOWS = 1
"""The truth comes so many windows late: rows that were answered meanwhile are neither learnt nor later ones."""


class Closed(msgspec.Struct, frozen=True):
    """One seed. later_rows: that came after the retraining; auc_before, auc_after: of champion and challenger on them.
    stopped_by: gates that the challenger failed, empty where it may go on.
    """

    seed: int
    later_rows: int
    auc_before: float
    auc_after: float
    stopped_by: tuple[str, ...]

    @property
    def gain(self) -> float:
        """What the loop is worth if the challenger becomes the champion, in AUC."""
        return self.auc_after - self.auc_before if not self.stopped_by else 0.0


def closed(dataset: Dataset, seed: int) -> Closed:
    """A champion of the reference, a challenger that has learnt the act's labelled windows too, and the rows behind."""
    act, description = dataset.second_act(seed), dataset.description
    reference = dataset.reference(seed)
    config = replace(CONFIG, seed=seed)
    timed = act.reference_rows is not None
    champion = trained(samples_of(description, _on_the_acts_clock(reference, act), timed=timed), config, "1")
    labelled = act.learn * act.rows_per_window
    challenger = retrained(dataset, reference if act.base else None, act.rows.iloc[:labelled], config)
    later = act.rows.iloc[labelled + _LATE_WINDOWS * act.rows_per_window :]
    features, truths = feature_frame(later, description.schema), later[str(description.label)].to_numpy()
    before, after = (
        float(roc_auc_score(truths, scores_of(version.model, features))) for version in (champion, challenger)
    )
    report = judged(challenger.beside(champion))
    return Closed(seed, len(later), round(before, 4), round(after, 4), tuple(report.failed))


def retrained(dataset: Dataset, base: pd.DataFrame | None, new: pd.DataFrame, config: Config) -> Trained:
    """Version 2, as a retraining makes it: rows of the base are learnt, and only new ones judge."""
    if base is None:
        return trained(samples_of(dataset.description, new), config, "2")
    both = samples_of(dataset.description, pd.concat([base, new], ignore_index=True), timed=True)
    assert both.times is not None
    first = moment(int(both.times.milliseconds[len(base)]))
    split = replace(config.split, train_only_before=first)
    return trained(both, replace(config, split=split), "2")


def _on_the_acts_clock(reference: pd.DataFrame, act: SecondAct) -> pd.DataFrame:
    """The act's windows hold days of the world. The reference's rows are placed as densely, so that it can be learnt
    how much such windows differ by nature.
    """
    if act.reference_rows is None:
        return reference
    start, step = pd.Timestamp(0, tz="UTC"), pd.Timedelta(WINDOW) / act.reference_rows
    return reference.assign(event_time=[start + number * step for number in range(len(reference))])
