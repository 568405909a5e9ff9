"""PSI against a computation from raw values, and its null distribution."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.binning import Bins
from contracts.histogram import Histogram
from stream_app.drift.panel import Panel, PanelCounts
from stream_app.drift.psi import Psi
from tests.drift import a_reference, counted, measure, size_under_the_null


def batch_psi(reference: np.ndarray, window: np.ndarray, edges: np.ndarray) -> float:
    """PSI as one computes it with all rows at hand."""
    everywhere = np.concatenate(([-np.inf], edges, [np.inf]))
    r, c = np.histogram(reference, everywhere)[0] + 0.5, np.histogram(window, everywhere)[0] + 0.5
    p, q = r / r.sum(), c / c.sum()
    return float(((q - p) * np.log(q / p)).sum())


def tenths(bins: Bins, values: np.ndarray) -> np.ndarray:
    """The bins' own edges nearest to the deciles: for a continuous feature they are among them."""
    return np.array(
        [bins.edge_array[np.abs(bins.edge_array - np.quantile(values, q / 10)).argmin()] for q in range(1, 10)]
    )


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0, 20.0])
def test_streaming_psi_is_batch_psi_on_the_same_edges(shift: float) -> None:
    rng = np.random.default_rng(0)
    values, window = rng.normal(size=24_000), rng.normal(shift, size=3_000)
    reference = a_reference(values)
    assert isinstance(reference.bins, Bins)
    streamed = Histogram(reference.bins)
    for part in np.split(window, [17, 1_000, 2_500]):
        streamed.merge(counted(reference.bins, part))
    panel = Panel("numeric", [reference])
    psi = Psi(panel).measure(PanelCounts(panel, [streamed])).value[0]
    assert psi == pytest.approx(batch_psi(values, window, tenths(reference.bins, values)), rel=1e-12)


def test_values_out_of_range_join_the_outer_groups() -> None:
    values = np.arange(1_000.0)
    far, near = np.full(100, 1e7), np.full(100, 999.0)
    psi = measure(Psi, "numeric", [a_reference(values)] * 2, [far, near]).value
    assert psi[0] == psi[1] > 1


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize("name", ["normal", "zero-inflated", "counts"])
def test_the_test_keeps_its_level(name: str, level: float) -> None:
    rng = np.random.default_rng(5)
    draw = {
        "normal": lambda n: rng.normal(size=n),
        "zero-inflated": lambda n: np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n)),
        "counts": lambda n: rng.poisson(3, n).astype(float),
    }[name]
    size = size_under_the_null(Psi, "numeric", draw(20_000), [draw(500) for _ in range(1_500)], level)
    assert level / 3 < size < level * 2


def test_the_reference_counts_as_a_sample_too() -> None:
    rng = np.random.default_rng(6)
    sizes = []
    for _ in range(10):  # a reference no larger than the windows: without 1/m half of the windows would alarm
        windows = [rng.normal(size=1_000) for _ in range(40)]
        sizes.append(size_under_the_null(Psi, "numeric", rng.normal(size=1_000), windows, 0.05))
    assert np.mean(sizes) < 0.12


def test_the_size_of_a_categorical_change_leaves_out_what_chance_explains() -> None:
    rng = np.random.default_rng(7)
    levels = np.array([f"level {i}" for i in range(52)])
    reference = a_reference(rng.choice(levels, 50_000).tolist())
    measured = measure(Psi, "categorical", [reference] * 200, [rng.choice(levels, 1_000).tolist() for _ in range(200)])
    assert measured.value.mean() == pytest.approx(51 * (1 / 1_000 + 1 / 50_000), rel=0.1)
    assert measured.size.mean() < 0.01
    assert measured.p is None
