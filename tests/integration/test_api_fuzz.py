"""schemathesis over the OpenAPI page of a real server with keys and a compiled model: nothing that can be sent makes it
fail, or makes an event that was not answered, and no key opens what it is not for.

TIDEMARK_FUZZ_EXAMPLES=2400 sends some 10,000 cases and takes minutes of processor time, more for each case than those
of an ordinary run (12 ms each).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.topics import BASELINES, LABELS, PREDICTIONS
from tests.apis import GOOD, REPOSITORY, Api, create_topics, header, http_client, records, running, shared_registry
from tests.fuzz_keys import EXPIRED, KEY, WITHOUT_SCOPE
from tests.keys import an_entry, bearer, write_keys
from tests.registered import a_compiled_version
from tests.waiting import eventually

SEED = int(os.environ.get("TIDEMARK_FUZZ_SEED", "6"))
EXAMPLES = int(os.environ.get("TIDEMARK_FUZZ_EXAMPLES", "60"))
_ENDLESS = 4  # operations whose cases do not run out
_MANY, _MANY_CASES = 2_400, 10_000
MODEL = "fuzzed"
CONFIG = str(REPOSITORY / "tests" / "schemathesis.toml")
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,bad_data_is_refused,good_data_is_taken,keys_open_what_they_are_for,"
    "unsupported_method,allow_header_conformance,each_row_has_its_answer"
)


@pytest.fixture
async def api(kafka, redis_server, namespace: str, tmp_path: Path) -> AsyncIterator[Api]:
    await create_topics(kafka.bootstrap, namespace, (PREDICTIONS, BASELINES, LABELS))
    await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    api = Api(
        tmp_path,
        model=MODEL,
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        redis_url=redis_server.url,
        redis_prefix=namespace,
        explain_timeout_seconds=60,  # on a machine where everything runs at once
        keys_file=write_keys(
            tmp_path / "keys.json",
            [
                an_entry(KEY, scopes=("predict", "label", "read")),
                an_entry(WITHOUT_SCOPE, scopes=("admin",)),
                an_entry(EXPIRED, expires=datetime(2020, 1, 1, tzinfo=UTC)),
            ],
        ),
    )
    api.headers = bearer(KEY)
    async with running(api):
        await api.until("ready")
        yield api


async def fuzz(api: Api, directory: Path, examples: int) -> tuple[dict[str, Any], list[str], str]:
    """schemathesis's report, the ids of the predictions that were answered, and what it printed."""
    report, answers = directory / "report.json", directory / "answers"
    answers.touch()
    page = directory / "openapi.json"
    page.write_text(json.dumps(without_keys((await api.get("/openapi.json")).json())))
    process = await asyncio.create_subprocess_exec(
        *(
            str(Path(sys.executable).with_name("st")),
            "--config-file",
            CONFIG,
            "run",
        ),
        *("--seed", str(SEED), "--max-examples", str(examples), "--continue-on-failure"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all", "--checks", CHECKS),
        *("--suppress-health-check", "all", "--request-timeout", "60"),
        *("--report", "json", "--report-json-path", str(report), "--no-color", "--url", api.url, str(page)),
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "SCHEMATHESIS_HOOKS": "tests.fuzz_hooks",
            "TIDEMARK_FUZZ_ANSWERS": str(answers),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return json.loads(report.read_bytes()), answers.read_text().split(), printed.decode()


def without_keys(page: dict[str, Any]) -> dict[str, Any]:
    """The page without what it says of keys: tests.fuzz_hooks chooses one for each request, good or not."""
    del page["components"]["securitySchemes"]
    for operations in page["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return page


async def test_nothing_that_can_be_sent_makes_it_fail_and_events_are_exactly_the_answers(
    api: Api, kafka: Any, namespace: str, tmp_path: Path
):
    print(f"seed {SEED}: TIDEMARK_FUZZ_SEED={SEED} repeats it")
    await eventually(lambda: _explained(api), 120, "the process that explains")

    assert await api.metric("tidemark_api_compiled_scorer") == 1

    report, answers, printed = await fuzz(api, tmp_path, EXAMPLES)

    print(printed[-4000:])
    print(f"{report['test_cases']['generated']:,} cases, {len(answers):,} predictions answered")
    assert report["test_cases"]["generated"] >= (_ENDLESS * EXAMPLES if EXAMPLES < _MANY else _MANY_CASES)
    assert report["operations"]["tested"] == report["operations"]["total"] >= 10
    assert (report["failures"], report["errors"]) == ([], [])
    assert await api.metric('tidemark_api_refused_requests_total{category="idempotency-key"}') > 0
    for category in ("no-key", "wrong-key", "expired-key", "scope"):
        assert await api.metric(f'tidemark_api_refused_requests_total{{category="{category}"}}') > 0
    await api.drained()
    there = [header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))]
    assert len(there) == len(set(there)) > 0
    assert set(there) == set(answers)

    async def labels_published() -> bool:
        return await api.metric("tidemark_api_labels_published_total") == await api.metric("tidemark_api_labels_total")

    await eventually(labels_published, 60, "all labels on Kafka")
    labels = {header(record, "ce_id") for record in await records(kafka.bootstrap, LABELS.named(namespace))}
    assert len(labels) == await api.metric("tidemark_api_labels_total")


async def _explained(api: Api) -> bool:
    async with http_client(api.url) as http:
        return (await http.post("/explain", json={"features": GOOD}, headers=api.headers)).status_code == 200
