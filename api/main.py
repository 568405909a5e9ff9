"""The composition root: builds every part, passes it down, starts and stops the background tasks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from api.errors import OutboxUnusable, SettingsError
from api.explaining.queue import ExplanationQueue
from api.following import Store, follow
from api.guard.following import KeyFollower
from api.guard.keys import Scope
from api.guard.opening import open_guard
from api.guard.room import Room
from api.http.admission import admission
from api.http.batch import BatchEndpoint
from api.http.cors import with_cors
from api.http.docs_page import add_docs
from api.http.edge import Edge
from api.http.exchange import Exchange
from api.http.explain import ExplainEndpoint
from api.http.handlers import handle_errors
from api.http.labels import LabelsEndpoint
from api.http.once import Once
from api.http.openapi import Pages
from api.http.plain import PlainPath
from api.http.predict import PredictEndpoint
from api.http.refusals import Refusals
from api.http.routes import Services, build_router
from api.idempotency.ledger import Ledger
from api.idempotency.owners import Owners
from api.idempotency.store import Store as KeyStore
from api.labelling import receipt_keeper, take_labels
from api.lifespan import running
from api.models.catalogue import Catalogue
from api.outbox.aside import PREDICTIONS, Aside
from api.outbox.backlog import Backlog
from api.outbox.log import Outbox
from api.outbox.removal import Removal
from api.outbox.settler import Settler
from api.outbox.slots import LABELS, Slot, claim
from api.outbox.sources import Source, Sources
from api.predicting.predictor import Predictor
from api.predicting.rows import RowsPredictor
from api.publishing.giving_way import Bustle, GivingWay
from api.publishing.mirror import Mirror
from api.publishing.pace import Pace
from api.publishing.producer import Producer
from api.publishing.publisher import Link, Publisher
from api.publishing.setting_aside import SettingAside
from api.requests.headers import RequestHeaders
from api.settings import ApiSettings
from api.telemetry import Telemetry
from api.tls.certificates import Certificates
from api.tls.following import CertificateFollower
from api.workers.board import Worker

log = logging.getLogger(__name__)

_SHOWN: Final[tuple[Scope, ...]] = ("predict", "read")
"""Whose keys are shown the model's features at /docs."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def create_app(
    settings: ApiSettings,
    *,
    versions: Store | None = None,
    now: Callable[[], datetime] = utc_now,
    worker: Worker | None = None,
    certificates: Certificates | None = None,
) -> ASGIApp:
    """The whole API as one ASGI callable: an Edge, inside of CORS where origins are named.

    versions: instead of MLflow's, for tests. worker: one of several processes. certificates: of the
    port, to be followed.
    Takes an outbox slot, which the end of the application's lifespan gives back. Raises OutboxUnusable, SettingsError.
    """
    telemetry = Telemetry()
    guard, keys = open_guard(
        settings.keys_file,
        telemetry,
        waiting=lambda: predictor.waiting,
        waiting_keyed=lambda: ledger.waiting,
        max_waiting=settings.max_waiting,
    )
    slot, outbox, epoch = _outbox(settings, telemetry, now)
    try:
        receipts = receipt_keeper(settings)
    except SettingsError:
        slot.release()
        raise
    mirror = _mirror(settings, telemetry)
    ledger = _ledger(settings, slot, epoch, telemetry, now)
    bustle = Bustle()
    publisher = _publisher(settings, slot, outbox, mirror, telemetry, ledger, bustle)
    labelling = take_labels(settings, slot, epoch, telemetry, receipts, mirror, ledger, now=now, age=_age_in(now))
    settler = Settler(outbox)
    settle = settler.settle if settings.outbox_sync == "group" else None
    predictor = Predictor(
        outbox,
        telemetry,
        source=f"api.{slot.identity()}",
        epoch=epoch,
        rows=settings.batch_rows,
        sign=receipts.sign,
        now=now,
        settle=settle,
    )

    following = follow(
        settings, slot, outbox, predictor, telemetry, versions=versions, now=now, announce=publisher.announce
    )
    refusals = Refusals()
    once = Once(ledger, telemetry)
    exchange = Exchange(guard, telemetry, refusals, once, body_seconds=settings.body_timeout_seconds)
    predict = PredictEndpoint(predictor, limit=settings.body_limit_bytes, now=now)
    explanations = ExplanationQueue(
        most=settings.explain_queue, seconds=settings.explain_timeout_seconds, started=telemetry.explainers.inc
    )
    explain = ExplainEndpoint(predictor, explanations, limit=settings.body_limit_bytes, now=now)
    rows = RowsPredictor(predictor, telemetry, rows=settings.batch_rows, settle=settle)
    batch = BatchEndpoint(
        predictor,
        rows,
        telemetry,
        limit=settings.batch_body_limit_bytes,
        most=settings.batch_limit_rows,
        room=Room(settings.max_batches),
        sign=receipts.sign_all,
        charge=guard.charge,
        bustle=bustle.note,
        now=now,
    )
    labels = LabelsEndpoint(
        labelling.desk,
        telemetry,
        limit=settings.batch_body_limit_bytes,
        most=settings.batch_limit_rows,
        room=Room(settings.max_batches, spared=settings.body_limit_bytes),
        charge=guard.charge,
        turn=rows.turn,
    )
    metrics = telemetry.page if worker is None else partial(worker.page, telemetry.page)
    services = Services(
        guard,
        refusals,
        exchange,
        predict,
        batch,
        explain,
        labels,
        labelling,
        explanations,
        predictor,
        following,
        Catalogue(
            following.store,
            settings.model,
            settings.model_alias,
            served=lambda: predictor.served,
            now=now,
            rolling=following.rollouts.state,
        ),
        publisher,
        mirror,
        outbox,
        settler,
        ledger,
        telemetry,
        metrics,
        settings.model_alias,
    )
    followed = None if certificates is None else CertificateFollower(certificates, telemetry)
    app = _fastapi(services, slot, settings, worker, keys, followed)
    return with_cors(Edge(app, exchange, predict, telemetry, (batch, labels)), settings.cors_origins)


def _outbox(settings: ApiSettings, telemetry: Telemetry, now: Callable[[], datetime]) -> tuple[Slot, Outbox, int]:
    """A slot of this process, its outbox, and the epoch that names this start."""
    slot = claim(settings.outbox_dir, (LABELS,))
    try:
        epoch = slot.next_epoch(int(now().timestamp() * 1000))
        slot.identity()  # written now, where a disk that refuses can still be told
        outbox = Outbox(
            slot.directory,
            epoch,
            max_bytes=settings.outbox_max_bytes,
            on_torn=telemetry.torn.inc,
            each_group=settings.outbox_sync == "group",
            removal=Removal(),
        )
    except OSError as error:
        slot.release()
        raise OutboxUnusable(
            f"API_OUTBOX_DIR: {slot.directory} cannot be used: {error.strerror}; make room, or choose another one"
        ) from error
    except Exception:
        slot.release()
        raise
    backlog = outbox.backlog
    telemetry.watch_outbox(lambda: backlog.pending_bytes, partial(_age, backlog, now), settings.outbox_max_bytes)
    return slot, outbox, epoch


def _mirror(settings: ApiSettings, telemetry: Telemetry) -> Mirror:
    return Mirror(
        settings.redis_url,
        telemetry,
        prefix=settings.redis_prefix,
        ttl_seconds=settings.mirror_ttl_seconds,
        cap=settings.mirror_cap,
        entity_cap=settings.mirror_entity_cap,
    )


def _age_in(now: Callable[[], datetime]) -> Callable[[Outbox], float]:
    return lambda outbox: _age(outbox.backlog, now)


def _age(backlog: Backlog, now: Callable[[], datetime]) -> float:
    oldest = backlog.oldest()
    return 0.0 if oldest is None else max(0.0, now().timestamp() - oldest / 1000)


def _ledger(settings: ApiSettings, slot: Slot, epoch: int, telemetry: Telemetry, now: Callable[[], datetime]) -> Ledger:
    owners = Owners(settings.outbox_dir, slot.name, epoch)
    keys = KeyStore(
        settings.outbox_dir / "idempotency" / "keys.db",
        owners.own,
        keep_ms=int(settings.idempotency_seconds * 1000),
        max_bytes=settings.idempotency_max_bytes,
    )
    return Ledger(keys, owners, telemetry, now=lambda: int(now().timestamp() * 1000))


def _publisher(
    settings: ApiSettings,
    slot: Slot,
    outbox: Outbox,
    mirror: Mirror,
    telemetry: Telemetry,
    ledger: Ledger,
    bustle: Bustle,
) -> Publisher:
    async def connect() -> Link:
        return await Producer.connect(settings.bootstrap, settings.topic_prefix)

    own = Source(slot, outbox.backlog)
    return Publisher(
        Sources(own, settings.outbox_dir, telemetry, telemetry.torn.inc),
        connect,
        mirror,
        telemetry,
        Pace(
            linger=settings.linger_ms / 1000,
            warn=settings.ack_warn_seconds,
            limit=settings.ack_limit_seconds,
            adopt=settings.adopt_seconds,
        ),
        SettingAside(Aside(settings.outbox_dir, PREDICTIONS, settings.outbox_max_bytes), telemetry),
        now=lambda: time.time() * 1000,
        remember=ledger.remember,
        giving_way=GivingWay(bustle, seconds=settings.give_way_seconds, bound=settings.outbox_max_bytes),
    )


def _fastapi(
    services: Services,
    slot: Slot,
    settings: ApiSettings,
    worker: Worker | None,
    keys: KeyFollower | None,
    certificates: CertificateFollower | None,
) -> FastAPI:
    app = PlainPath(
        services.telemetry,
        title="Tidemark",
        version="1",
        description="Predictions of the champion model. Each answered prediction is an event on its way to Kafka.",
        lifespan=partial(running, services, slot, settings, worker, keys, certificates),
        openapi_url=None,  # see api.http.docs_page
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be no problem, and name the host that the client wrote
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    app.include_router(build_router(services), dependencies=[Depends(admission(services.guard))])
    handle_errors(app, services.refusals, services.telemetry)

    posts = (services.predict, services.batch, services.explain, services.labels)
    pages = Pages(posts, settings.batch_limit_rows)

    def page(headers: RequestHeaders) -> dict[str, Any]:
        known = any(services.guard.knows(headers, scope) for scope in _SHOWN)
        return pages.page(app, services.predictor.served if known else None, keyed=services.guard.ring is not None)

    add_docs(app, page)
    return app
