"""A broker that answers and names none that is ready, as all are fenced for a moment, is waited for; one that is away
stops nobody from stopping.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

_PAUSE_SECONDS = 0.25
_log = logging.getLogger(__name__)


async def cluster_of(client: Any, bootstrap: str) -> Any:
    """Metadata of all topics, as soon as a broker is ready; the caller sets a limit. client: of aiokafka,
    started. Raises KafkaError.
    """
    said = False
    while True:
        try:
            return await client.fetch_all_metadata()
        except KafkaError as error:
            if type(error) is not KafkaError:  # the bare class is aiokafka's word for an answer without a broker
                raise
            if not said:
                _log.warning("Kafka at %s is not ready (%s); waiting for it", bootstrap, error)
                said = True
            await asyncio.sleep(_PAUSE_SECONDS)


async def stopped(consumer: AIOKafkaConsumer) -> None:
    """Stop it. Where its broker is away aiokafka stops half-way, with the CancelledError of a fetch that waits for its
    next try, as if the caller had been cancelled. (As in stream_app/readiness.py.)
    """
    found = (await asyncio.gather(consumer.stop(), return_exceptions=True))[0]
    if isinstance(found, asyncio.CancelledError):
        await consumer._client.close()
    elif found is not None:
        raise found
