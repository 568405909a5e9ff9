"""The whole loop on real servers, without containers: HTTP in, a signed webhook out, and nothing unaccounted for."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path

from demo.receiver import Receiver
from demo.stack.processes import ServiceProcess
from tests.apis import GOOD, Api, http_client, running, shared_registry
from tests.builders import a_model_version
from tests.servers.verbs import Broker, RedisLike
from tests.streams import Stream
from tests.waiting import eventually

SECRET = "whsec_" + base64.b64encode(b"topsecret" * 4).decode()
ROWS = 150


async def test_predictions_over_http_become_reports_and_their_drift_one_signed_webhook(
    kafka: Broker,
    redis_server: RedisLike,
    namespace: str,
    tmp_path: Path,
    run_service: Callable[..., ServiceProcess],
) -> None:
    await asyncio.to_thread(a_model_version, shared_registry(), model="loop")
    api = Api(
        tmp_path,
        model="loop",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        redis_url=redis_server.url,
        redis_prefix=namespace,
    )
    # a pause in the sending must not count as silence: windows would end before their events are sent
    stream = Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=10)
    with Receiver("127.0.0.1", 0, SECRET, tmp_path / "alerts.jsonl") as receiver:
        async with stream, running(api):
            run_service(
                *("sink", "stream_app", "sink", "webhook"),
                SINK_BOOTSTRAP=kafka.bootstrap,
                SINK_TOPIC_PREFIX=namespace,
                SINK_WEBHOOK_URL=receiver.url,
                SINK_WEBHOOK_SECRET=SECRET,
                SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES="true",
            )
            await stream.ready(stream.worker(), partitions=8)
            answered = await predicted(api, stream, windows=2)

            reports = await stream.reported(2 * ROWS, "loop", within=60)
            assert [(report.rows, report.status) for report in reports] == [(ROWS, "alarm")] * 2
            await eventually(receiver.receipts, 40, "an alert at the receiver")
            (receipt,) = receiver.receipts()
            assert (receipt.alert.transition, receipt.alert.report) == ("raise", reports[1].id)
            assert "distance" in {feature.feature for feature in receipt.alert.features}

            (tmp_path / "answered.txt").write_text("\n".join(answered))
            assert "balanced" in await stream.command("audit", "--answered", str(tmp_path / "answered.txt"))


async def predicted(api: Api, stream: Stream, windows: int) -> list[str]:
    """Ids of answered predictions, ROWS for each window, all of one and the same flight: that is their drift."""
    start, ids = stream.fresh_hour(), []
    async with http_client(api.url) as http:
        for number in range(windows * ROWS):
            event_time = start + number * stream.window / ROWS
            answer = await http.post("/predict", json={"features": GOOD, "event_time": event_time.isoformat()})
            ids.append(answer.raise_for_status().json()["prediction_id"])
    return ids
