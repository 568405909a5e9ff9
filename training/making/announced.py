"""Announced: what follows when a version has all its files: its baseline goes to the stream, its event to everybody,
and, last of all, the alias points to it.

Whatever fails here leaves a whole version that nobody has heard of. One that was made for a retraining says so in a
tag, and is announced when that is gone on with: nothing is fitted again because an event could not be sent.
"""

from __future__ import annotations

from msgspec.structs import replace

from contracts.baseline import Baseline
from contracts.model_events import ModelEvent
from training.errors import PromotionError
from training.making.recorded import WORK_TAG, registered_event
from training.registry.records import Version
from training.registry.registered import CHALLENGER, CHAMPION, Registered
from training.reports.card_files import CARD_FILE, evaluation_in
from training.topics.baselines import Publisher
from training.topics.model_events import ModelEvents


def alias_for(wanted: str | None, registered: Registered, version: Version | None = None) -> str:
    """What the new version becomes. version: where it is registered already. Raises PromotionError: a champion is not
    replaced past the gates, without a claim and without an event.
    """
    champion = registered.champion()
    if champion is None:
        return wanted or CHAMPION
    if wanted != CHAMPION:
        return wanted or CHALLENGER
    made = "" if version is None else f"version {version.version} is registered and has no alias; "
    raise PromotionError(
        f"{made}{registered.model} has the champion {champion} already: train with alias {CHALLENGER}, then "
        "`python -m training promote VERSION`, which asks the gates"
    )


def announced(
    registered: Registered,
    version: Version,
    baseline: Baseline,
    event: ModelEvent,
    wanted: str | None,
    publisher: Publisher | None,
    steps: ModelEvents | None,
) -> str:
    """Tell of it, and return its new alias. event: without the alias. wanted: None: champion where there is none.

    May be done again: the baseline and the event are then the same as before. Raises TrainingError.
    """
    if publisher is not None:
        publisher.publish(baseline)
    alias = alias_for(wanted, registered, version)  # a champion may have been made while it was fitted
    if steps is not None:
        steps.write(replace(event, details={"alias": alias, **event.details}))
    registered.registry.set_alias(version, alias)
    return alias


def finished(
    registered: Registered, work: str, wanted: str | None, publisher: Publisher, steps: ModelEvents, by: str
) -> Version | None:
    """The version that was made for this retraining before it was cut short, announced now; None where none was made,
    or none has all its files. Raises TrainingError.
    """
    for version in registered.tagged(WORK_TAG, work):
        if registered.fetch(version, CARD_FILE) is None:  # the last of the files
            continue
        found = evaluation_in(registered, version)
        event = registered_event(
            version,
            estimator=found.estimator,
            rows=sum(part.rows for part in found.rows.values()),
            data=found.data,
            digest=found.data_digest,
            code_revision=found.code_revision,
            auc=found.validation["auc"],
            at=found.created,
            by=by,
        )
        announced(registered, version, registered.baseline(version), event, wanted, publisher, steps)
        return version
    return None
