"""A version's model card in the registry, and the record that it is made from."""

from __future__ import annotations

from contracts.errors import ContractError
from training.errors import RegistryError
from training.evaluation.record import EVALUATION_FILE, Evaluation
from training.registry.records import Version
from training.registry.registered import Registered
from training.reports.card import Known, model_card
from training.reports.gate_files import kept_report

CARD_FILE = "model_card.md"


def attach_card(registered: Registered, version: Version, known: Known) -> None:
    """Among the version's files, in place of an earlier one. Raises RegistryError."""
    registered.attach(version, "", {CARD_FILE: model_card(known).encode()})


def known_of(registered: Registered, version: Version) -> Known:
    """What is on record now. Raises RegistryError where there is no evaluation, and InvalidMessage."""
    return Known(evaluation_in(registered, version), registered.baseline(version), kept_report(registered, version))


def evaluation_in(registered: Registered, version: Version) -> Evaluation:
    """The version's evaluation. Raises RegistryError where it has none that can be read."""
    data, whose = registered.fetch(version, EVALUATION_FILE), f"{version.model}/{version.version}"
    if data is None:
        raise RegistryError(
            f"{whose} has no {EVALUATION_FILE}: train it with `python -m training train --config training.yaml`"
        )
    try:
        return Evaluation.from_bytes(data)
    except ContractError as error:
        raise RegistryError(f"{whose}: {EVALUATION_FILE}: {error}: train the version again") from error
