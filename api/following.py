"""Following: the parts that keep a process with the versions the registry names, built together: the champion's
follower, the rollout's, the shadow, and both directions of `model-events`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from api.memory import Settling
from api.model_events.listener import Listener
from api.model_events.troubles import KafkaVoice, Troubles
from api.models.catalogue import Registry
from api.models.proving import Prover
from api.models.served import Served, prepare
from api.models.store import ModelStore
from api.models.version import ModelVersion
from api.outbox.log import Outbox
from api.outbox.slots import Slot
from api.predicting.champion import ChampionFollower
from api.predicting.following import Versions
from api.predicting.predictor import Predictor
from api.predicting.rollouts import RolloutFollower
from api.predicting.shadow import Shadow
from api.settings import ApiSettings
from api.telemetry import Telemetry
from contracts.topics import MODEL_EVENTS


class Store(Versions, Registry, Protocol):
    """What is asked of api.models.store.ModelStore."""


@dataclass(frozen=True)
class Following:
    """store: the registry's versions, as the champion's follower asks for them."""

    store: Store
    champion: ChampionFollower
    rollouts: RolloutFollower
    shadow: Shadow
    troubles: Troubles
    listener: Listener

    def tasks(self) -> Iterator[tuple[str, Coroutine[None, None, None]]]:
        """What runs as long as the process does, by name."""
        yield "champion", self.champion.run()
        yield "rollout", self.rollouts.run()
        yield "shadow", self.shadow.run()
        yield "model-events", self.listener.run()
        yield "troubles", self.troubles.run()


def follow(
    settings: ApiSettings,
    slot: Slot,
    outbox: Outbox,
    predictor: Predictor,
    telemetry: Telemetry,
    *,
    versions: Store | None,
    now: Callable[[], datetime],
    announce: Callable[[str], None],
) -> Following:
    """Build them. versions: instead of MLflow's, for tests. announce: has a version's baseline published soon."""
    settle_memory = Settling()

    def ready(served: Served) -> None:
        announce(served.key)
        settle_memory()

    def adopt(served: Served) -> None:
        slot.keep_baseline(served.key, served.baseline.to_bytes())

    def preparing(prover: Prover) -> Callable[[ModelVersion], Served]:
        return lambda model: prepare(model, now(), timedelta(days=settings.event_time_future_days), prover)

    async def connect() -> KafkaVoice:
        return await KafkaVoice.connect(settings.bootstrap, topic)

    topic = MODEL_EVENTS.named(settings.topic_prefix)
    store = versions or _store(settings, settings.model_alias)
    provers = Prover(), Prover()
    troubles = Troubles(connect, settings.model, predictor.lanes.source, now=now)
    shadow = Shadow(
        predictor.lanes,
        predictor.commits,
        telemetry,
        troubles.rows,
        most=settings.shadow_queue,
        room=lambda: 2 * outbox.backlog.pending_bytes < settings.outbox_max_bytes,
    )
    predictor.lanes.tell(shadow, troubles.rows)
    rollouts = RolloutFollower(
        versions or _store(settings, f"{settings.model_alias}+rollout"),
        predictor,
        telemetry,
        prepare=preparing(provers[1]),
        adopt=adopt,
        loaded=ready,
        refused=troubles.refused,
        ended=provers[1].close,
        standby=settings.standby,
    )
    champion = ChampionFollower(
        store,
        predictor,
        telemetry,
        prepare=preparing(provers[0]),
        adopt=adopt,
        swapped=ready,
        now=now,
        poll_seconds=settings.model_poll_seconds,
        ended=provers[0].close,
        rollouts=rollouts,
        standby=settings.standby,
    )
    listener = Listener(settings.bootstrap, topic, settings.model, champion.wake, telemetry)
    return Following(store, champion, rollouts, shadow, troubles, listener)


def _store(settings: ApiSettings, copy: str) -> ModelStore:
    champion = copy == settings.model_alias
    return ModelStore(
        settings.tracking_uri,
        settings.model,
        settings.model_alias,
        settings.model_cache,
        copy=copy,
        before=champion and settings.standby,
    )
