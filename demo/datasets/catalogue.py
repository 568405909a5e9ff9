"""The example data sets there are. To add one: a file that fits `Dataset`, and a line here."""

from __future__ import annotations

from demo.datasets.dataset import Dataset
from demo.datasets.flights import Flights
from demo.datasets.payments import Payments

DATASETS: tuple[Dataset, ...] = (Flights(), Payments())


def dataset_named(name: str) -> Dataset:
    """The data set of this name. Raises ValueError that lists the names."""
    for dataset in DATASETS:
        if dataset.description.name == name:
            return dataset
    known = ", ".join(dataset.description.name for dataset in DATASETS)
    raise ValueError(f"no data set {name!r}: choose one of {known}")
