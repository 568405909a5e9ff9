"""POST /labels: what is taken lies in the outbox of labels when it is answered; nothing that is refused does."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from api.receipts.receipt import Key, Receipts
from contracts.events import decode_event, encode_event, parse_id
from contracts.labels import Label, decode_label
from tests.builders import NOON, a_baseline, an_event
from tests.keys import an_entry, bearer, write_keys
from tests.serving import a_served, an_app, of_one_identity, services

FEATURES = {"distance": 70, "seats": None, "carrier": "a"}


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api")


async def post(app: Any, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    async with client(app) as http:
        return await http.post(path, content=content, headers={"content-type": "application/json", **(headers or {})})


async def predicted(app: Any, **fields: Any) -> dict[str, Any]:
    answer = await post(app, "/predict", {"features": FEATURES, **fields})
    assert answer.status_code == 200
    return answer.json()


def label_of(answer: dict[str, Any], truth: Any = 1, **more: Any) -> dict[str, Any]:
    return {"prediction_id": answer["prediction_id"], "truth": truth, "receipt": answer["receipt"], **more}


def records(app: Any) -> list[Any]:
    slice_ = services(app).labelling.outbox.backlog.read()
    return [] if slice_ is None else [record for group in slice_.groups for record in group.records]


def labels(app: Any) -> list[Label]:
    return [decode_label(record.value) for record in records(app)]


def counted(app: Any, series: str, **of: str) -> float:
    return services(app).telemetry.registry.get_sample_value(f"tidemark_api_{series}", of) or 0.0


class FakeRedis:
    """Events by their ids, as the mirror keeps them."""

    def __init__(self, *events: Any, away: bool = False) -> None:
        self._kept = {f"tidemark:prediction:{event.id}": encode_event(event) for event in events}
        self._away = away
        self.asked: list[int] = []

    async def execute_command(self, name: str, *keys: str) -> Sequence[bytes | None]:
        assert name == "MGET"
        if self._away:
            raise ConnectionError("away")
        self.asked.append(len(keys))
        return [self._kept.get(key) for key in keys]


def with_redis(app: Any, *events: Any, away: bool = False) -> FakeRedis:
    services(app).mirror._reader = redis = FakeRedis(*events, away=away)
    return redis


async def test_a_label_with_its_receipt_is_joined_without_a_look_up_and_committed_before_its_answer(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    said = await predicted(app, event_time="2025-06-01T10:00:00.123456+02:00")

    answer = await post(app, "/labels", label_of(said, True), {"x-request-id": "r-1"})

    assert answer.status_code == 202
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.json() == {
        "accepted": 1,
        "refused": 0,
        "labels": [{"prediction_id": said["prediction_id"], "accepted": True}],
    }
    (record,) = records(app)
    assert decode_label(record.value) == Label(
        prediction_id=said["prediction_id"],
        event_time=NOON.replace(year=2025, month=6, day=1, hour=8, microsecond=123_000),
        labelled_at=NOON,
        model="flights",
        model_version="1",
        score=0.7,
        truth=1.0,
        decision=True,
    )
    assert (record.key, record.origin.request_id) == (said["prediction_id"].encode(), "r-1")
    id_ = parse_id(record.id)
    assert id_ is not None
    assert id_.source == f"label.{(tmp_path / 'outbox' / '00' / 'identity').read_text()}"
    assert counted(app, "labels_total", joined="receipt") == 1


async def test_every_row_of_a_batch_of_predictions_has_a_receipt_and_all_can_be_labelled_at_once(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    rows = [{"features": {**FEATURES, "distance": n}} for n in range(300)]
    said = (await post(app, "/predict/batch", {"rows": rows})).json()["predictions"]

    answer = await post(app, "/labels", {"labels": [label_of(one, n % 2) for n, one in enumerate(said)]})

    assert (answer.status_code, answer.json()["accepted"], answer.json()["refused"]) == (202, 300, 0)
    found = labels(app)
    assert [(label.prediction_id, label.score, label.truth) for label in found] == [
        (one["prediction_id"], one["score"], n % 2) for n, one in enumerate(said)
    ]
    numbers = [parse_id(record.id).sequence for record in records(app)]  # type: ignore[union-attr]
    assert numbers == sorted(set(numbers))


async def test_a_regressions_truth_is_a_number(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(a_baseline(threshold=None)))
    said = await predicted(app)

    assert (await post(app, "/labels", label_of(said, 17.25))).status_code == 202
    assert (await post(app, "/labels", label_of(said, False))).status_code == 422
    assert [(label.truth, label.decision) for label in labels(app)] == [(17.25, None)]


THEIRS = Receipts([Key(b"another installation, of 32 byte")])


async def the_wrong_labels(app: Any) -> dict[str, tuple[dict[str, Any], int, str, str]]:
    """What is sent, and the status, word and field of its refusal."""
    said, other = await predicted(app), await predicted(app)
    receipt, id_ = said["receipt"], said["prediction_id"]
    altered = receipt[:30] + ("A" if receipt[30] != "A" else "B") + receipt[31:]
    late = (NOON + timedelta(minutes=2)).isoformat()
    return {
        "altered": (label_of({**said, "receipt": altered}), 422, "receipt-altered", "/receipt"),
        "forged": (label_of({**said, "receipt": "forged"}), 422, "receipt-altered", "/receipt"),
        "another's": (label_of({**said, "receipt": other["receipt"]}), 422, "receipt-prediction", "/receipt"),
        "another installation's": (
            label_of({**said, "receipt": THEIRS.sign(an_event(id=id_))}),
            422,
            "receipt-key",
            "/receipt",
        ),
        "from the future": (label_of(said, labelled_at=late), 422, "label-time", "/labelled_at"),
        "before the event": (label_of(said, labelled_at="2025-12-31T23:00:00Z"), 422, "label-time", "/labelled_at"),
        "no truth of a classifier": (label_of(said, 0.5), 422, "truth", "/truth"),
        "unknown": ({"prediction_id": "never made", "truth": 1}, 404, "no-such-prediction", "/prediction_id"),
        "misspelt": ({"prediction_id": id_, "thruth": 1}, 422, "unknown-field", "/thruth"),
    }


async def test_what_cannot_be_joined_is_refused_alone_and_among_others_counted_and_is_no_label(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    with_redis(app)
    good = label_of(await predicted(app))
    wrong = await the_wrong_labels(app)

    for sent, status, word, pointer in wrong.values():
        problem = (await post(app, "/labels", sent)).json()
        assert (problem["status"], problem["type"]) == (status, f"urn:tidemark:problem:{word}")
        assert problem["errors"][0]["pointer"] == pointer
    assert records(app) == []

    many = [good, *(sent for sent, *_ in wrong.values()), good]
    answer = await post(app, "/labels", {"labels": many})

    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["refused"]) == (2, len(wrong))
    told = answer.json()["labels"]
    assert told[0] == told[-1] == {"prediction_id": good["prediction_id"], "accepted": True}
    for number, (row, (_, status, word, pointer)) in enumerate(zip(told[1:-1], wrong.values(), strict=True), 1):
        assert (row["error"]["status"], row["error"]["type"]) == (status, f"urn:tidemark:problem:{word}")
        assert row["error"]["errors"][0]["pointer"] == f"/labels/{number}{pointer}"
    assert len(labels(app)) == 2
    words = [word for _, _, word, _ in wrong.values()]
    for word in words:
        assert counted(app, "labels_refused_total", reason=word) == 2 * words.count(word)
        assert counted(app, "refused_requests_total", category=word) == 2 * words.count(word)
    assert counted(app, "failed_requests_total", why="no-such-prediction") == 0


async def test_labels_without_receipts_are_joined_through_the_mirror_in_few_look_ups(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    events = [an_event(sequence=n, score=n / 1000, decision=n > 500) for n in range(600)]
    redis = with_redis(app, *events)

    answer = await post(app, "/labels", {"labels": [{"prediction_id": e.id, "truth": 0} for e in [*events, events[0]]]})

    assert answer.json()["accepted"] == 601
    assert redis.asked == [250, 250, 100]
    assert [(label.prediction_id, label.score, label.decision) for label in labels(app)[:600]] == [
        (event.id, event.score, event.decision) for event in events
    ]
    assert counted(app, "labels_total", joined="mirror") == 601


async def test_a_label_is_the_same_whichever_way_it_was_joined(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    said = await predicted(app, event_time="2026-01-01T10:00:00.999999Z")
    slice_ = services(app).outbox.backlog.read()
    with_redis(app, decode_event(slice_.groups[0].records[0].value))

    await post(app, "/labels", {"labels": [label_of(said), {"prediction_id": said["prediction_id"], "truth": 1}]})

    one, other = labels(app)
    assert one == other


async def test_with_redis_away_only_labels_without_a_receipt_are_refused(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    with_redis(app, away=True)
    said = await predicted(app)
    without = {"prediction_id": said["prediction_id"], "truth": 1}

    alone = await post(app, "/labels", without)
    among = (await post(app, "/labels", {"labels": [without, label_of(said)]})).json()

    assert (alone.status_code, alone.headers["retry-after"]) == (503, "2")
    assert alone.json()["type"].endswith(":lookups")
    assert "receipt" in alone.json()["detail"]
    assert (among["accepted"], among["labels"][0]["error"]["status"]) == (1, 503)
    assert counted(app, "labels_refused_total", reason="lookups") == 2
    assert counted(app, "failed_requests_total", why="lookups") == 2
    assert len(labels(app)) == 1


async def test_a_retry_with_its_idempotency_key_gets_the_first_answer_and_makes_no_second_label(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    said = await predicted(app)
    body = {"labels": [label_of(said), {"prediction_id": "x"}]}

    first, again = [await post(app, "/labels", body, {"idempotency-key": "k-1"}) for _ in range(2)]
    other = await post(app, "/labels", {"labels": [label_of(said, 0)]}, {"idempotency-key": "k-1"})

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert other.json()["type"].endswith(":idempotency-mismatch")
    assert len(labels(app)) == 1


async def test_a_retry_of_a_prediction_gets_the_same_receipt(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    first, again = [await post(app, "/predict", {"features": FEATURES}, {"idempotency-key": "k"}) for _ in range(2)]

    assert first.json()["receipt"]
    assert first.content == again.content


async def test_a_key_needs_the_scope_label_and_its_rate_counts_labels(tmp_path: Path):
    entries = [an_entry(1, scopes=("predict",)), an_entry(2, scopes=("label",), rate=10.0, burst=10)]
    app = an_app(tmp_path, served=a_served(), keys_file=write_keys(tmp_path / "keys.json", entries))
    said = (await post(app, "/predict", {"features": FEATURES}, bearer(1))).json()

    assert (await post(app, "/labels", label_of(said), bearer(1))).json()["detail"].endswith("scope label.")
    assert (await post(app, "/predict", {"features": FEATURES}, bearer(2))).status_code == 403
    assert (await post(app, "/labels", {"labels": [label_of(said)] * 9}, bearer(2))).status_code == 202
    assert (await post(app, "/labels", label_of(said), bearer(2))).status_code == 202
    assert (await post(app, "/labels", {"labels": [label_of(said)] * 9}, bearer(2))).status_code == 429
    assert (await post(app, "/labels", {"labels": [label_of(said)] * 11}, bearer(2))).status_code == 422
    assert len(labels(app)) == 10


async def test_a_full_outbox_of_labels_refuses_labels_and_no_prediction(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), label_outbox_max_bytes=1 << 20)
    said = await predicted(app)
    body = {"labels": [label_of(said)] * 1000}
    answers = [await post(app, "/labels", body) for _ in range(6)]

    refused = answers[-1]
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["type"].endswith(":outbox")
    assert "Prediction" not in refused.json()["title"]
    assert len(labels(app)) > 0
    assert counted(app, "labels_total", joined="receipt") == 1000 * sum(one.status_code == 202 for one in answers)
    assert counted(app, "label_outbox_used_ratio") > 0.5
    await predicted(app)
    async with client(app) as http:
        state = (await http.get("/health/ready")).json()
    assert state["status"] == "degraded"
    assert "API_LABEL_OUTBOX_MAX_BYTES" in state["dependencies"]["labels"]["detail"]


async def test_labels_are_turned_away_where_predictions_wait_and_batches_where_many_are_worked_on(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), max_batches=1)
    label = label_of(await predicted(app))
    many = {"labels": [label] * 900}

    place = services(app).labels.room.enter("another")
    assert (await post(app, "/labels", many)).json()["type"].endswith(":overloaded")
    assert (await post(app, "/labels", label)).status_code == 202  # a small body takes no place
    services(app).labels.room.leave(place)
    assert (await post(app, "/labels", many)).status_code == 202

    services(app).guard._waiting = lambda: 10_000
    assert (await post(app, "/labels", label)).json()["type"].endswith(":overloaded")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 400, "not-json"),
        (b"\xff", 400, "not-utf-8"),
        (b'{"labels": []}', 422, "row-count"),
        (b'{"labels": ' + b"[" * 2000 + b"]" * 2000 + b"}", 202, ""),
        (b" " * 3_000_000, 413, "too-large"),
        (b'{"prediction_id": "p", "truth": 1, "more": "' + b"x" * 100_000 + b'"}', 413, "too-large"),
    ],
)
async def test_a_body_that_is_no_label_is_told_why(tmp_path: Path, body: bytes, status: int, word: str):
    answer = await post(an_app(tmp_path, served=a_served()), "/labels", body)

    assert answer.status_code == status
    assert answer.json().get("type", ":").endswith(f":{word}")


async def test_the_fast_path_and_the_plain_path_answer_alike_byte_for_byte(tmp_path: Path):
    apps = [an_app(of_one_identity(tmp_path / name), served=a_served()) for name in ("fast", "plain")]
    for app in apps:
        with_redis(app)
    said, same = [await predicted(app) for app in apps]
    assert said == same
    good = label_of(said)
    for body in (good, {"labels": [good, {}]}, {"prediction_id": "unknown", "truth": 1}, b"{", {**good, "truth": 3}):
        fast, plain = [await post(app, "/labels", body, {"x-request-id": "r"}) for app in (apps[0], apps[1].app)]
        assert (fast.status_code, fast.headers.raw, fast.content) == (
            plain.status_code,
            plain.headers.raw,
            plain.content,
        )
    pages = [services(app).telemetry.page().decode() for app in apps]
    for status, count in (("2xx", 2), ("4xx", 3)):
        assert all(f'request_seconds_count{{route="/labels",status="{status}"}} {count}.0' in page for page in pages)


async def test_labels_are_taken_before_a_model_is_loaded(tmp_path: Path):
    app = an_app(tmp_path)
    event = an_event()
    with_redis(app, event)

    assert (await post(app, "/labels", {"prediction_id": event.id, "truth": 0})).status_code == 202


async def test_with_a_sync_for_each_group_a_label_is_answered_when_a_power_cut_would_not_take_it(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), outbox_sync="group")
    label = label_of(await predicted(app))

    assert (await post(app, "/labels", label)).status_code == 202

    assert len(labels(app)) == 1
    await services(app).labelling.settler.idle()
