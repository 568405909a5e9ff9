"""Every Prometheus series of the API, declared once, each with how to read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from api.histograms import Histogram

_PREFIX = "tidemark_api"
_LATENCY = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2.5)
_LAG = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600)
_STATUS = ("", "1xx", "2xx", "3xx", "4xx", "5xx")


class Drained(Protocol):
    """What is counted of an outbox that is drained to Kafka: of the predictions', or of the labels'."""

    @property
    def published(self) -> Counter: ...
    @property
    def publish_lag(self) -> Histogram: ...
    @property
    def kafka_up(self) -> Gauge: ...
    @property
    def adopted(self) -> Counter: ...
    @property
    def without_baseline(self) -> Counter: ...
    @property
    def set_aside(self) -> Counter: ...
    @property
    def aside(self) -> Gauge: ...


class LabelSeries(NamedTuple):
    """Of the labels. The names are those of Drained, and outbox_*: as of the predictions."""

    accepted: Counter
    refused: Counter
    outbox_bytes: Gauge
    outbox_age: Gauge
    outbox_used: Gauge
    adopted: Counter
    published: Counter
    publish_lag: Histogram
    kafka_up: Gauge
    without_baseline: Counter
    set_aside: Counter
    aside: Gauge


class Telemetry:
    """The series of one process, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry

        # Requests.
        # Answered predictions; each is in the outbox. Equals the sequence numbers given out since the start, but for
        # those of a group that the outbox refused, and of rows whose event would be too large.
        self.answered = self._counter("predictions", "Predictions answered.", "model", "version")
        # By category: the word that the problem's type ends with (docs/api.md), of every answer of 4xx and each bad row
        # of a batch. A new client that is wrong shows as one steep line; no event was made.
        self.refused = self._counter("refused_requests", "Requests refused for their own fault.", "category")
        # By why, the same word: no-model, outbox, scoring, unexpected. Must stay 0: each is an answer of 5xx. Read the
        # log. lookups: Redis is away, predictions are answered.
        # overloaded: turned away at API_MAX_WAITING, so that the others are answered in time. Rising: add a process.
        self.failed = self._counter("failed_requests", "Requests that got a 5xx answer.", "why")
        # Headers received -> answer handed to the server: the wait for a slow body is in it. route: the path's
        # template, `other` for a path without one; status: 2xx and so on. p99 of route="/predict" rises before anything
        # else.
        self.request_seconds = self._histogram("request_seconds", "Time of one request.", _LATENCY, "route", "status")
        # Requests that have no answer yet, now. At rest 1: the one that asks for this page. Rising without more
        # traffic: something sticks; read /health/ready and the log.
        self.under_way = 0
        self._gauge("requests_in_flight", "Requests being answered.").set_function(lambda: self.under_way)
        # Rows scored at a time. Near API_BATCH_ROWS for minutes: this process is at its limit, add another one.
        self.batch_rows = self._histogram("batch_rows", "Rows in one micro-batch.", (1, 2, 4, 8, 16, 32, 64, 128, 256))
        # Rows in the requests of POST /predict/batch, bad ones included.
        self.batch_request_rows = self._histogram(
            "batch_request_rows", "Rows in one batch request.", (1, 10, 50, 100, 250, 500, 1000)
        )
        # The model alone. It blocks the event loop: above .1 s, health checks and every other request wait for it.
        self.score_seconds = self._histogram("score_seconds", "Time to score one micro-batch.", _LATENCY)

        # Starts of the process that explains: one, at the first POST /explain. Rising: it is killed, for its memory or
        # at API_EXPLAIN_TIMEOUT_SECONDS. Predictions do not notice.
        self.explainers = self._counter("explainer_starts", "Starts of the process that explains.")

        # Keys.
        # 0: the file of keys was changed and cannot be read; the keys from before are in force. The log says what.
        # 1 without a file, too.
        self.keys_current = self._gauge("keys_current", "Whether the keys in force are those of API_KEYS_FILE.")
        self.keys_current.set(1)

        # TLS.
        # 0: certificate or key was renewed, and the new pair cannot be used; the one from before is in force. The log
        # says what. 1 without TLS, too.
        self.certificate_current = self._gauge(
            "certificate_current", "Whether the certificate in force is that of API_TLS_CERT_FILE."
        )
        self.certificate_current.set(1)
        # Of the certificate in force. Alarm two weeks before: clients refuse it from then on. +Inf without TLS.
        self.certificate_ends = self._gauge("certificate_ends_timestamp_seconds", "When it ends, in Unix time.")
        self.certificate_ends.set(float("inf"))

        # Idempotency keys.
        # By outcome: first, or replayed: a retry that got the first answer again and made no event. Many of those: a
        # client gives up too early, or its network loses answers.
        self.idempotent = self._counter("idempotent_requests", "Answered requests with an Idempotency-Key.", "outcome")
        # Keys forgotten sooner than API_IDEMPOTENCY_SECONDS for want of room: raise API_IDEMPOTENCY_MAX_BYTES.
        self.idempotency_evicted = self._counter("idempotency_evicted", "Keys forgotten for want of room.")
        # Must stay 0: the file of keys was locked for seconds, or its disk is full. Requests with a key got 503.
        self.idempotency_failures = self._counter("idempotency_failures", "Failed transactions on the file of keys.")
        # Must stay 0: while the file of keys could not be used, events were sent whose answers it has not. A retry of
        # one of those may become a second event, if its process ends before the file can be used again. A group that is
        # sent again counts again.
        self.idempotency_unkept = self._counter("idempotency_unkept", "Events sent before their answer was kept.")

        # Outbox.
        # Above 0 only for moments while Kafka is well. Rising: Kafka is away, or slower than the traffic.
        self.outbox_bytes = self._gauge("outbox_pending_bytes", "Bytes not yet acknowledged by Kafka.")
        # Of the oldest event that Kafka has not acknowledged; 0 when it has all. Some tens of milliseconds is usual. It
        # rises by one a second while Kafka is away: an alarm at 60 comes long before the outbox is full.
        self.outbox_age = self._gauge("outbox_oldest_age_seconds", "Age of the oldest unacknowledged event.")
        # The share of the bound that is used; at 1 predictions get 503. Alarm at .5.
        self.outbox_used = self._gauge("outbox_used_ratio", "outbox_pending_bytes / API_OUTBOX_MAX_BYTES.")
        # Half-written groups found after a crash. Nobody was answered for them, so this is no loss; after a power cut
        # with API_OUTBOX_SYNC=second up to the last second of answers may be among them. Without a crash before it:
        # the disk damaged what was answered. The log names each place.
        self.torn = self._counter("outbox_torn_bytes", "Bytes skipped because no whole group lies there.")
        # Must stay 0: the disk refused to make the outbox durable. With API_OUTBOX_SYNC=group predictions get 503
        # meanwhile; with =second they are answered, and a power cut would take them.
        self.unsynced = self._counter("outbox_sync_failures", "Failed attempts to make the outbox durable.")
        # Outboxes of dead processes that this one drained. Rising without restarts of yours: processes crash.
        self.adopted = self._counter("outbox_adopted", "Outboxes taken over from dead processes.")

        # Publishing.
        # Acknowledged by every replica in sync. A restart may send some twice; stage 1 counts them once.
        self.published = self._counter("published", "Events acknowledged by Kafka.")
        # Group written to the outbox -> acknowledged by Kafka. Some tens of milliseconds is usual.
        self.publish_lag = self._histogram("publish_lag_seconds", "Answer -> acknowledgement.", _LAG)
        # 0: Kafka does not take events; answers go on and outbox_pending_bytes rises.
        self.kafka_up = self._gauge("kafka_up", "Whether Kafka takes events.")
        # Must stay 0: events of a version went out without their baseline, which is lost (a copy on Kafka may be there)
        # or larger than the topic `baselines` allows (tried again all the time). The stream puts aside events of a
        # version that it does not know; the log says what to do, and a replay counts them.
        self.without_baseline = self._counter("versions_without_baseline", "Versions sent without their baseline.")

        # Must stay 0: events larger than max.message.bytes of `predictions`, kept in API_OUTBOX_DIR/aside instead.
        # predictions + shadow_rows{outcome="scored"} = published + set_aside + what the outbox holds, as far as one
        # process drains what it wrote.
        self.set_aside = self._counter("set_aside", "Events too large for their topic, kept on the disk.")
        # How many of them lie there now, from all processes of the directory: with several workers it is the same for
        # each. `python -m api aside` lists them and sends them again.
        self.aside = self._gauge("aside_events", "Events that lie in API_OUTBOX_DIR/aside.")

        # Mirror.
        # Events that cannot be looked up by id. Nothing is lost: they are in Kafka.
        self.mirror_failures = self._counter("mirror_failed_events", "Events not written to Redis.")
        self.redis_up = self._gauge("redis_up", "Whether Redis takes the mirror.")

        self.labels = self._label_series()

        # Model.
        # 1 for the version that answers now.
        self.model_info = self._gauge("model_info", "The champion.", "model", "version", "scorer")
        # 0: the version that answers has no compiled form that was found right, and scores some 15 to 100 times slower.
        # `GET /model` says why under scorer_note.
        self.compiled = self._gauge("compiled_scorer", "Whether the champion is scored by its compiled form.")
        # A version was registered and given the alias, but cannot be served: the old one goes on. Read /health/ready.
        self.model_failures = self._counter("model_load_failures", "Versions that could not be loaded.")
        # 0: the alias cannot be looked up, or points to a version that cannot be served; the loaded one goes on.
        self.registry_up = self._gauge("registry_up", "Whether the registry answers, with a usable version.")

        # Rollout.
        # 1 for the version on its way and its stage: shadow, or canary. No line: none is on its way, or it is not
        # loaded (yet): `GET /model` says which.
        self.rollout_info = self._gauge("rollout_info", "The version on its way.", "model", "version", "stage")
        # 5 to 100 while there is a canary, 0 for a shadow and without a rollout.
        self.rollout_share = self._gauge("rollout_share_percent", "Share of the entities that the canary answers.")
        # Answered by the canary. canary_rows / (canary_rows + canary_fallbacks) near 1: what it was to answer, it did.
        self.canary_rows = self._counter("canary_rows", "Predictions answered by the canary.")
        # Rows of the canary's share that the champion answered. why: schema (the version needs what no request has),
        # absent (what this request has not), scoring (it failed on the row), slow (it rests after a slow batch).
        self.canary_fallbacks = self._counter("canary_fallbacks", "The canary's rows answered by the champion.", "why")
        # What was answered and then scored by a shadow. outcome: scored (an event each), failed (also where the row
        # lacks what the version needs), skipped: more came than it may be given time for, or the outbox is half full.
        self.shadow_rows = self._counter("shadow_rows", "Rows for the shadow, by what became of them.", "outcome")
        # A version was to be shadow or canary, and cannot be served. The champion answers everything; `GET /model`.
        self.rollout_failures = self._counter("rollout_load_failures", "Rollouts whose version could not be loaded.")
        # 0: the topic model-events cannot be read: a new champion answers after the next poll of the registry
        # (API_MODEL_POLL_SECONDS) instead of at once. Nothing else changes.
        self.model_events_up = self._gauge("model_events_up", "Whether model-events is read.")

    def took(self, seconds: float, route: str, status: int) -> None:
        """One answered request. status: its HTTP status."""
        self.request_seconds.observe(seconds, route, _STATUS[status // 100])

    def watch_outbox(self, pending: Callable[[], int], age: Callable[[], float], bound: int) -> None:
        """Read the outbox's depth in bytes, and the age of its oldest event in seconds, whenever the metrics are."""
        _watch(self, pending, age, bound)

    def watch_label_outbox(self, pending: Callable[[], int], age: Callable[[], float], bound: int) -> None:
        """The same of the labels."""
        _watch(self.labels, pending, age, bound)

    def page(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self.registry)

    def _label_series(self) -> LabelSeries:
        up = self._gauge("labels_up", "Whether Kafka takes labels; 1 before the first, too.")
        up.set(1)
        return LabelSeries(
            # By how they were joined: receipt, or mirror, which works only while Redis keeps the prediction. Many of
            # those: tell the senders to send receipts.
            accepted=self._counter("labels", "Labels accepted; each is in its outbox.", "joined"),
            # By the word of the problem; those of 4xx and 5xx are in refused_requests and failed_requests, too. None
            # is a label. no-such-prediction: too late without a receipt. receipt-altered, receipt-prediction: a sender
            # mixes them up, or somebody tries. receipt-key: of another installation, or its key was taken out too soon.
            refused=self._counter("labels_refused", "Labels refused.", "reason"),
            # As those of the predictions, with API_LABEL_OUTBOX_MAX_BYTES; at 1 labels get 503, predictions do not.
            outbox_bytes=self._gauge("label_outbox_pending_bytes", "Bytes of labels not yet acknowledged by Kafka."),
            outbox_age=self._gauge("label_outbox_oldest_age_seconds", "Age of the oldest unacknowledged label."),
            outbox_used=self._gauge(
                "label_outbox_used_ratio", "label_outbox_pending_bytes / API_LABEL_OUTBOX_MAX_BYTES."
            ),
            adopted=self._counter("label_outbox_adopted", "Outboxes of labels taken over from dead processes."),
            published=self._counter("labels_published", "Labels acknowledged by Kafka."),
            publish_lag=self._histogram("labels_publish_lag_seconds", "Answer to a label -> acknowledgement.", _LAG),
            # 0: Kafka does not take labels. Where kafka_up is 1 meanwhile: the topic `labels` is missing.
            kafka_up=up,
            without_baseline=self.without_baseline,
            # As set_aside and aside_events.
            set_aside=self._counter("labels_set_aside", "Labels too large for their topic, kept on the disk."),
            aside=self._gauge("aside_labels", "Labels that lie in API_OUTBOX_DIR/aside."),
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        made = Histogram(f"{_PREFIX}_{name}", text, buckets, labels)
        self.registry.register(made)
        return made


def _watch(series: Telemetry | LabelSeries, pending: Callable[[], int], age: Callable[[], float], bound: int) -> None:
    series.outbox_bytes.set_function(pending)
    series.outbox_used.set_function(lambda: pending() / bound)
    series.outbox_age.set_function(age)
