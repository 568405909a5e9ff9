"""Every setting of Faust that we set, with the reason."""

from __future__ import annotations

from typing import Any

from contracts.topics import WINDOW_PARTIALS
from stream_app.delivery.batches import Fetching
from stream_app.settings import StreamSettings


def fetching(settings: StreamSettings, *batched: str) -> Fetching:
    """How to read. batched: full names of the topics that are delivered by batch."""
    return Fetching(
        batched=frozenset(batched),
        batch_records=settings.batch_records,
        max_wait_ms=settings.fetch_max_wait_ms,
        min_bytes=settings.fetch_min_bytes,
    )


def faust_settings(settings: StreamSettings) -> dict[str, Any]:
    """Keyword arguments of faust.App."""
    return {
        "broker": ";".join(f"kafka://{address}" for address in settings.bootstrap.split(",")),
        "broker_session_timeout": settings.session_timeout_seconds,
        "broker_heartbeat_interval": 1.0,  # by its next one a member learns of a rebalance, and all wait for the last
        "broker_rebalance_timeout": 30.0,
        "broker_commit_interval": 1.0,  # so much is read again after a crash
        "broker_max_poll_records": None,  # whole fetches: that is what a batch is
        "consumer_auto_offset_reset": "earliest",  # `latest` also gets stuck in recovery (Faust issue 651)
        "consumer_max_fetch_size": 1 << 20,
        "consumer_metadata_max_age_ms": 15_000,  # a topic that grew, or is gone, is noticed; by default after 5 minutes
        "consumer_group_instance_id": settings.worker_id or None,
        "producer_linger": 0.01,
        "producer_max_batch_size": 256 * 1024,
        "producer_max_request_size": int(WINDOW_PARTIALS.config["max.message.bytes"]),
        # Counts are mostly small numbers in four bytes, a fifth remains. lz4 is 30 times dearer: aiokafka's is level 9
        "producer_compression_type": "zstd",
        "stream_wait_empty": True,  # False commits a batch that SIGTERM interrupts: it would be lost
        "table_standby_replicas": 0,  # a standby in memory is read again anyhow
        "topic_allow_declare": False,  # Faust never creates source topics; ours are all created beforehand
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
    }
