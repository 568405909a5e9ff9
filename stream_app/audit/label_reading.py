"""Reads what the audit of the labels compares: `labels`, the state topics, `performance` and `dead-letters`."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError
from msgspec.structs import replace

from contracts.dead_letters import decode_dead_letter
from contracts.errors import InvalidMessage
from contracts.performance import decode_performance
from contracts.topics import DEAD_LETTERS, LABELS, PERFORMANCE
from stream_app.audit.difference import Difference
from stream_app.audit.found import Log
from stream_app.audit.label_checks import LabelsAudit, LabelsFound, audited_labels
from stream_app.audit.letters import LettersSoFar
from stream_app.audit.reading import PAUSE_SECONDS, TRIES, each_of, exhausted, latest
from stream_app.audit.revisions import RevisionsSoFar
from stream_app.audit.standing import standing
from stream_app.errors import StateError
from stream_app.labelling.partition import LabelConfig, LabelPartition
from stream_app.labelling.revised_state import age_of_revised, revised_of
from stream_app.labelling.state import MetaKey, age_of_labels, parse_label_key
from stream_app.present import present
from stream_app.readiness import in_the_middle
from stream_app.settings import StreamSettings


async def audit_labels(settings: StreamSettings) -> LabelsAudit | None:
    """Read and compare; the topics must be there. None where there is no label at all. Raises BrokerError and
    StateError. As audit.reading.audit it reads again where a process wrote meanwhile.
    """
    try:
        readings: list[tuple[Difference, ...]] = []
        while True:
            result = audited_labels(await _found(settings))
            readings.append(result.differences)
            if result.balanced or len(readings) == TRIES:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        if not result.balanced:
            stand, moving = standing(readings)
            result = replace(result, differences=stand, notes=moving)
        return result if result.on_topic or result.partitions else None
    except KafkaError as error:
        raise in_the_middle(settings.bootstrap, error) from error
    except InvalidMessage as error:
        raise StateError(f"a stored record cannot be read ({error}): run the version that wrote it") from error


async def _found(settings: StreamSettings) -> LabelsFound:
    # Stage 1 before stage 2: what moves from one to the other meanwhile is then in both, not in neither.
    stored = await latest(settings, settings.labels_topic, age_of_labels)
    revised = revised_of((await latest(settings, settings.revisions_topic, age_of_revised)).items())
    numbers = [key.partition for key in map(parse_label_key, stored) if isinstance(key, MetaKey)]
    read = [LabelPartition.restore(number, LabelConfig(1, 0), stored.items()) for number in numbers]
    metas = tuple(partition.meta for partition in read if partition.meta is not None)
    labels = settings.topic(LABELS)
    async with present(settings.bootstrap, labels) as now:
        logs = {number: Log(first, now.ends[number]) for number, first in now.first.items()}
    revisions, letters = RevisionsSoFar(), LettersSoFar(labels)
    reported = await each_of(settings, settings.topic(PERFORMANCE), decode_performance, revisions.take)
    refused = await each_of(settings, settings.topic(DEAD_LETTERS), decode_dead_letter, letters.take)
    return LabelsFound(
        labels=logs,
        exhausted=await exhausted(settings, labels, logs, {meta.partition: meta.last_offset + 1 for meta in metas}),
        metas=metas,
        open_windows={
            (name.model, name.version, name.window_start, name.partition): amount
            for partition in read
            for name, amount in partition.standing()
        },
        versions=revised.versions,
        parts=revised.parts,
        reports=revisions.newest,
        reports_complete=reported.complete,
        refused=letters.letters().refused,
        refused_complete=refused.complete,
    )
