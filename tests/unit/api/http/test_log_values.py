"""Nothing that a client sent as data is in the log, whatever goes wrong with it."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.logs.start import start_logging
from tests.keys import a_key, an_entry, bearer, write_keys
from tests.logs import own_logging
from tests.serving import FirstNumberScorer, a_served, an_app, services

MARK = "MARKER"
NUMBER = 77.123456
ROW = {"distance": 70, "seats": None, "carrier": MARK}
JSON = {"content-type": "application/json"}


class QuotingScorer(FirstNumberScorer):
    """Quotes the row that it cannot score, as many libraries do."""

    def score(self, rows: Any) -> Any:
        for row in rows:
            if row.f0 == NUMBER:
                raise ValueError(f"could not convert {row!r}")
        return super().score(rows)


BODIES: dict[str, tuple[Any, int]] = {
    "good": ({"features": ROW, "entity_id": MARK}, 200),
    "unknown feature": ({"features": {**ROW, MARK: 1}}, 422),
    "wrong type": ({"features": {**ROW, "distance": MARK}}, 422),
    "missing": ({"entity_id": MARK}, 422),
    "wrong time": ({"features": ROW, "event_time": MARK}, 422),
    "wrong entity": ({"features": ROW, "entity_id": [MARK]}, 422),
    "the model raises": ({"features": {**ROW, "distance": NUMBER}, "entity_id": MARK}, 500),
    "the model refuses the row": ({"features": {**ROW, "distance": -1}}, 500),
}
RAW: dict[str, tuple[bytes, dict[str, str], int]] = {
    "not JSON": (MARK.encode(), JSON, 400),
    "bad UTF-8": (MARK.encode() + b'"\xff', JSON, 400),
    "NaN": (b'{"features": {"carrier": "' + MARK.encode() + b'", "distance": NaN}}', JSON, 422),
    "too large": (MARK.encode() * 20_000, JSON, 413),
    "a form": (b"carrier=" + MARK.encode(), {"content-type": "application/x-www-form-urlencoded; " + MARK}, 415),
    "no JSON in a charset": (b"{}", {"content-type": f"application/json; charset={MARK}"}, 415),
}
GETS = [f"/predictions/{MARK}", f"/predictions/recent?entity={MARK}&limit=x", f"/{MARK}", f"/model?{MARK}={MARK}"]


@pytest.mark.parametrize("level", ["info", "warning"])
@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_error_path_writes_a_value_an_entity_or_a_key(tmp_path: Path, form: Any, level: Any):
    out = io.StringIO()
    with own_logging():
        start_logging(level, form, out)
        logging.getLogger("httpx").setLevel(logging.WARNING)  # the client is in this process, too
        for door in ("fast", "plain"):
            directory = tmp_path / door
            directory.mkdir()
            entries = [an_entry(1), an_entry(2, rate=1.0, burst=1)]
            app = an_app(
                directory,
                served=a_served(scorer=QuotingScorer()),
                keys_file=write_keys(directory / "keys.json", entries),
            )
            transport = httpx.ASGITransport(app if door == "fast" else app.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=bearer(1)) as http:
                for name, (body, expected) in BODIES.items():
                    for path in ("/predict", "/explain"):
                        await http.post(path, json=body)
                    assert (await http.post("/predict", json=body)).status_code == expected, name
                    await http.post("/predict/batch", json={"rows": [body, body]})
                for name, (raw, headers, expected) in RAW.items():
                    assert (await http.post("/predict", content=raw, headers=headers)).status_code == expected, name
                    await http.post("/predict/batch", content=raw, headers=headers)
                for path in GETS:
                    await http.get(path)
                for wrong in (f"Bearer {a_key(1)[:-1]}f", f"Bearer {MARK}", f"Basic {MARK}", f"Bearer {a_key(3)}"):
                    assert (await http.post("/predict", headers={"authorization": wrong})).status_code == 401
                for _ in range(3):
                    await http.post("/predict", json=BODIES["good"][0], headers=bearer(2))
                services(app).predictor._served = None
                assert (await http.post("/predict", json=BODIES["good"][0])).status_code == 503

    written = out.getvalue()
    secrets = [a_key(n).split("_")[2] for n in (1, 2, 3)]
    for hidden in (MARK, str(NUMBER), *secrets):
        assert hidden not in written
    if level == "info":
        for category in ("unknown-field", "wrong-type", "not-json", "unexpected", "wrong-key", "rate"):
            assert category in written
    if form == "json":
        assert all(json.loads(line)["level"] in ("info", "warning", "error") for line in written.splitlines())


async def test_an_unexpected_error_is_in_the_log_with_its_id_and_its_place(tmp_path: Path):
    out = io.StringIO()
    app = an_app(tmp_path, served=a_served(scorer=QuotingScorer()))
    with own_logging():
        start_logging("info", "json", out)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
            answer = await http.post("/predict", json={"features": {**ROW, "distance": NUMBER}})

    (line,) = [json.loads(line) for line in out.getvalue().splitlines() if "traceback" in line]
    assert answer.json()["id"] in line["message"]
    assert line["exception"] == "ValueError"
    assert line["traceback"].splitlines()[-1].endswith("in score")
    assert line["level"] == "error"


async def test_what_is_answered_leaves_no_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    app = an_app(tmp_path, served=a_served())
    with caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
            assert (await http.post("/predict", json={"features": {**ROW, "carrier": "a"}})).status_code == 200
            assert (await http.get("/model")).status_code == 200

    assert [record for record in caplog.records if record.name.startswith("api")] == []


async def test_a_refused_request_leaves_one_line_with_what_helps_to_find_its_sender(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    app = an_app(
        tmp_path, served=a_served(), keys_file=write_keys(tmp_path / "keys.json", [an_entry(1, scopes=("predict",))])
    )
    with caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
            headers = {**bearer(1), "x-request-id": "r-17"}
            assert (await http.post("/predict", json={}, headers=headers)).status_code == 422

    (record,) = [record for record in caplog.records if record.name == "api.refused"]
    assert (
        record.__dict__.items()
        >= {
            "category": "missing-field",
            "status": 422,
            "path": "/predict",
            "client": "client-1",
            "request_id": "r-17",
        }.items()
    )


@pytest.mark.parametrize(
    ("path", "category"),
    [("/predictions/recent?limit=x", "parameter"), ("/predictions/none", "lookups"), ("/model", "no-model")],
)
async def test_the_line_of_a_look_up_that_is_refused_names_the_client_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, category: str
):
    app = an_app(tmp_path, keys_file=write_keys(tmp_path / "keys.json", [an_entry(1)]))
    with caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
            assert (await http.get(path, headers=bearer(1))).status_code in (422, 503)

    (record,) = [record for record in caplog.records if record.name == "api.refused"]
    assert record.__dict__.items() >= {"category": category, "client": "client-1"}.items()
