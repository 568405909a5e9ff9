"""The offline loop on a small data set: windows, alarms, pages and their figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench import episodes, quiet
from bench.offline import OfflineModel, pages
from contracts.schema import Feature
from demo.datasets.dataset import Episode
from demo.scenario import Plan
from training.data.description import Description

PLAN = Plan(rows_per_window=250, quiet_windows=4, episode_windows=3)


class Coins:
    """Two numbers and a letter; the label leans on the first number."""

    description = Description(
        name="coins",
        file="coins.csv",
        label="won",
        features=(Feature("x", "numeric"), Feature("y", "numeric"), Feature("letter", "categorical")),
    )
    episodes = (
        Episode("doubled", "x doubles in the rows given", ("x",), lambda rows, seed: rows.assign(x=rows["x"] * 2)),
        Episode("own", "rows of its own", ("letter",), lambda rows, seed: _coins(900, seed).assign(letter="q"), True),
    )

    def reference(self, seed: int) -> pd.DataFrame:
        return _coins(1_500, seed)

    def quiet(self, seed: int) -> pd.DataFrame:
        return _coins(2_000, seed + 1)


def _coins(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(10, 2, rows)
    won = (rng.random(rows) < 1 / (1 + np.exp(10 - x))).astype(int)
    letters = rng.choice(np.array(["a", "b"], dtype=object), rows)
    return pd.DataFrame({"x": x, "y": rng.random(rows), "letter": letters, "won": won})


@pytest.fixture(scope="module")
def model() -> OfflineModel:
    return OfflineModel(Coins(), seed=3)


def test_each_seed_draws_other_windows_of_rows_that_occur_once(model: OfflineModel) -> None:
    pool = model.rows(model.dataset.quiet(3))
    once, again, other = (quiet.draw(model, pool, PLAN, [3, seed]) for seed in (0, 0, 1))
    assert once == again != other
    assert [found.compared_rows for found in once] == [250] * 4
    everything = quiet.draw(model, pool, Plan(rows_per_window=250, quiet_windows=8), [3, 0])
    x = [verdict for found in everything if (verdict := found.verdict("x"))]
    assert max(verdict.maximum for verdict in x if verdict.maximum) == pool.columns[0].max()


def test_the_figures_of_quiet_runs_are_counted_from_their_reports(model: OfflineModel) -> None:
    pool = model.rows(model.dataset.quiet(3))
    calm = [quiet.draw(model, pool, PLAN, [3, seed]) for seed in range(3)]
    loud = model.reports(model.rows(Coins().quiet(3).assign(x=0.0)), 250)[:4]
    figures = quiet.summarise([*calm, loud], seconds=1.0)
    assert (figures.windows, figures.seeds) == (16, 4)
    assert figures.raw_alarms == 4 + sum(found.status == "alarm" for run in calm for found in run)
    low, high = stats.binomtest(figures.raw_alarms, 16).proportion_ci(method="wilson")
    assert (figures.raw_alarm_rate_low, figures.raw_alarm_rate_high) == (low, high)
    assert figures.pages == 1
    assert any(line.startswith("x ") and line.endswith("4") for line in quiet.table([loud], figures))


def test_a_page_needs_two_windows_and_comes_once(model: OfflineModel) -> None:
    broken = model.reports(model.rows(Coins().quiet(3).assign(y=9.0)), 250)[:3]
    assert pages(broken[:1]) == []
    assert [alert.window_start for alert in pages(broken)] == [broken[1].window_start]


def test_an_episode_names_what_it_broke_and_pages_at_its_second_window(model: OfflineModel) -> None:
    for episode in Coins.episodes:
        runs = [episodes.draw(model, Coins().quiet(3), episode, PLAN, [3, seed]) for seed in range(3)]
        assert [len(run) for run in runs] == [3, 3, 3]
        figures = episodes.summarise(episode, runs)
        assert (figures.alarm_in_first, figures.page_in_second, figures.page_names_first) == (1.0, 1.0, 1.0)
        assert episode.title in episodes.table(episode, runs, figures)[0]
