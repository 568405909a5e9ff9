"""By which rows a new version is judged: by none that the champion has seen, over turn after turn of the loop."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from contracts.times import milliseconds, moment
from tests.builders import NOON
from tests.gated import an_evaluation
from training.configuration.config import Config, Split
from training.data.splits import Parts, split
from training.data.times import Milliseconds
from training.evaluation.record import Evaluation, Part, PartName
from training.retraining.asked import asked_of

DAY = timedelta(days=1)
CONFIG = Config(model="flights", data="data")
FEATURES = ("distance", "carrier")


def evaluation(rows: dict[PartName, Part]) -> Evaluation:
    return an_evaluation(np.array([0, 1]), np.array([0.2, 0.8]), rows=rows)


def trained(times: Milliseconds, parts: Parts) -> Evaluation:
    """Of a version that was trained on rows of these times."""
    rows: dict[PartName, Part] = {}
    for name, part in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
        first, last = (moment(int(found)) for found in (times[part].min(), times[part].max()))
        rows[name] = Part(rows=part.size, positives=1, first=first, last=last)  # type: ignore[index]
    return evaluation(rows)


@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("by", ["stratified", "time"])
def test_over_two_turns_no_version_is_judged_by_rows_that_the_champion_of_its_turn_has_seen(
    by: str, base: bool
) -> None:
    """Each turn collects all that was collected before, and 1,000 rows more."""
    draw, hour = np.random.default_rng(3), 3_600_000
    start = milliseconds(NOON)
    config = replace(CONFIG, split=Split(by=by))  # type: ignore[arg-type]
    old = start - hour * np.arange(1_000, 0, -1)
    parts = split(draw.integers(0, 2, 1_000), old, config.split, 0, 5)
    champion, seen = trained(old, parts), start - hour
    for rows in (1_000, 2_000):
        collected = start + hour * np.arange(rows)
        times = np.concatenate([old, collected]) if base else collected
        first = moment(start) if base else None
        asked, _ = asked_of(config, champion, FEATURES, first)
        parts = split(draw.integers(0, 2, len(times)), times, asked.split, 0, 5)
        judging = np.concatenate([parts.validation, parts.test])
        assert times[judging].min() > seen
        assert judging.size == 400  # a fifth each of the 1,000 new ones
        assert parts.train.size == len(times) - 400
        champion, seen = trained(times, parts), int(times.max())


def before(champion: Evaluation | None, first: datetime | None, config: Config = CONFIG) -> datetime | None:
    return asked_of(config, champion, FEATURES, first)[0].split.train_only_before


def test_rows_judge_that_are_behind_the_base_and_behind_what_the_champion_has_seen() -> None:
    champion = evaluation({"train": Part(rows=9, positives=3, first=NOON - DAY, last=NOON)})
    behind = NOON + timedelta(milliseconds=1)
    assert before(champion, None) == before(champion, NOON - DAY) == behind
    assert before(champion, NOON + DAY) == before(None, NOON + DAY) == NOON + DAY
    own = replace(CONFIG, split=Split(train_only_before=NOON + 2 * DAY))
    assert before(champion, NOON + DAY, own) == NOON + 2 * DAY


def test_a_champion_of_which_it_is_not_known_what_it_has_seen_is_said() -> None:
    timeless = evaluation({"train": Part(rows=9, positives=3)})
    for champion in (None, timeless):
        config, said = asked_of(CONFIG, champion, FEATURES)
        assert config == CONFIG
        assert said == [
            "until when the champion was trained is not known: rows that it has seen may be among those that judge"
        ]
        assert asked_of(CONFIG, champion, FEATURES, NOON)[1] == [
            "rows before 2026-01-01T12:00:00Z are only trained on; the others judge, and make the baseline"
        ]


def test_segments_that_predictions_do_not_have_are_left_out_and_named() -> None:
    config, said = asked_of(replace(CONFIG, segments=("carrier", "region", "distance", "age")), None, FEATURES, NOON)
    assert config.segments == ("carrier", "distance")
    assert said[-1].startswith("segments region, age: predictions do not have them")
