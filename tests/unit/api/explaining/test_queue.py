"""Explanations by a real process: one at a time, in bounded time, and what becomes of a process that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from api.errors import ExplainBusy, ExplainTimeout, ScoringFailed
from api.explaining.messages import Version
from api.explaining.queue import ExplanationQueue
from api.explaining.worker import say
from tests.explainers import environment_of, explainers_of
from tests.purchases import ROWS, a_folder, compiled
from tests.waiting import eventually

form_of = cache(compiled)
PATIENT = 60.0


class Starts:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0

    def inc(self) -> None:
        self.count += 1


@pytest.fixture
async def queues() -> AsyncIterator[Any]:
    """Makes queues, and ends their processes."""
    made: list[ExplanationQueue] = []

    def make(*, most: int = 4, seconds: float = PATIENT, starts: Starts | None = None) -> ExplanationQueue:
        made.append(ExplanationQueue(most=most, seconds=seconds, started=(starts or Starts()).inc))
        return made[-1]

    yield make
    for queue in made:
        await queue.close()
    assert explainers_of(os.getpid()) == []


def a_version(directory: Path, version: str = "1", kind: str = "hgb") -> Version:
    folder = a_folder(directory / version, replace(form_of(kind), version=version), version)
    return Version(f"purchases/{version}", str(folder), True)


def the_explainer() -> int:
    (pid,) = explainers_of(os.getpid())
    return pid


async def test_no_process_runs_until_somebody_asks_and_then_one_does(queues: Any, tmp_path: Path):
    starts = Starts()
    queue, version = queues(starts=starts), a_version(tmp_path)
    assert explainers_of(os.getpid()) == []

    answers = await asyncio.gather(*(queue.explain(version, row, 3) for row in ROWS[:4]))

    assert starts.count == 1
    assert os.getpriority(os.PRIO_PROCESS, the_explainer()) == 19
    asked = [{each["feature"]: each["value"] for each in json.loads(answer)["contributions"]} for answer in answers]
    assert [values["amount"] for values in asked] == [row[0] for row in ROWS[:4]]


async def test_the_process_has_none_of_the_apis_secrets(queues: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_REDIS_URL", "redis://:sesame@redis")

    await queues().explain(a_version(tmp_path), ROWS[0], 3)

    assert b"sesame" not in environment_of(the_explainer())


async def test_a_process_killed_while_idle_is_replaced(queues: Any, tmp_path: Path):
    starts = Starts()
    queue, version = queues(starts=starts), a_version(tmp_path)
    before = await queue.explain(version, ROWS[0], 3)

    os.kill(the_explainer(), signal.SIGKILL)

    assert await queue.explain(version, ROWS[0], 3) == before
    assert starts.count == 2


async def test_a_process_killed_in_its_work_is_replaced_and_the_question_answered(queues: Any, tmp_path: Path):
    starts = Starts()
    queue, version = queues(starts=starts), a_version(tmp_path)
    before = await queue.explain(version, ROWS[0], 3)
    pid = the_explainer()
    os.kill(pid, signal.SIGSTOP)
    asked = asyncio.create_task(queue.explain(version, ROWS[0], 3))
    await asyncio.sleep(0)

    os.kill(pid, signal.SIGKILL)

    assert await asked == before
    assert starts.count == 2


async def test_beyond_the_time_limit_the_question_is_given_up_and_the_process_with_it(queues: Any, tmp_path: Path):
    version, starts = a_version(tmp_path), Starts()
    queue = queues(seconds=1.0, starts=starts)

    async def answered() -> Any:
        try:
            return await queue.explain(version, ROWS[0], 3)
        except ExplainTimeout:  # on a busy machine a start lasts longer, and goes on meanwhile
            return None

    before = await eventually(answered, 60, "an answer")
    begun = starts.count
    os.kill(the_explainer(), signal.SIGSTOP)

    with pytest.raises(ExplainTimeout, match="within 1 s"):
        await queue.explain(version, ROWS[0], 3)

    assert await eventually(answered, 60, "an answer by a new process") == before
    assert starts.count > begun  # on a busy machine a new one may be given up, too


async def test_more_than_may_wait_are_refused_at_once(queues: Any, tmp_path: Path):
    queue, version = queues(most=2), a_version(tmp_path)
    await queue.explain(version, ROWS[0], 3)
    pid = the_explainer()
    os.kill(pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(queue.explain(version, ROWS[0], 3)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(ExplainBusy, match="2 explanations are waiting"):
        await queue.explain(version, ROWS[0], 3)

    os.kill(pid, signal.SIGCONT)
    assert len(set(await asyncio.gather(*waiting))) == 1


async def test_another_version_is_explained_by_the_same_process(queues: Any, tmp_path: Path):
    starts = Starts()
    queue, one, two = queues(starts=starts), a_version(tmp_path), a_version(tmp_path, "2", "logistic")

    answers = [json.loads(await queue.explain(version, ROWS[0], 3)) for version in (one, two, one)]

    assert [answer["model_version"] for answer in answers] == ["1", "2", "1"]
    assert [answer["method"] for answer in answers] == ["tree_shap", "linear_shap", "tree_shap"]
    assert starts.count == 1


async def test_versions_asked_for_at_the_same_time_are_not_mixed_up(queues: Any, tmp_path: Path):
    queue, one, two = queues(most=8), a_version(tmp_path), a_version(tmp_path, "2", "logistic")

    asked = [queue.explain(version, ROWS[0], 3) for version in (one, two) * 4]

    answers = [json.loads(answer)["model_version"] for answer in await asyncio.gather(*asked)]
    assert answers == ["1", "2"] * 4


async def test_files_that_are_gone_are_told_and_cost_nobody_else_anything(queues: Any, tmp_path: Path):
    queue, version = queues(), a_version(tmp_path)

    with pytest.raises(ExplainBusy, match="files of purchases/9 cannot be read"):
        await queue.explain(Version("purchases/9", str(tmp_path / "nowhere"), True), ROWS[0], 3)

    assert await queue.explain(version, ROWS[0], 3)


async def test_a_row_that_the_model_refuses_is_the_models_failure(queues: Any, tmp_path: Path):
    with pytest.raises(ScoringFailed, match="too large"):
        await queues().explain(a_version(tmp_path, kind="forest"), (1e300, 1.0, True, "toys", "at"), 3)


async def test_an_end_while_the_process_starts_leaves_none_behind(queues: Any, tmp_path: Path):
    queue = queues()
    asked = asyncio.create_task(queue.explain(a_version(tmp_path), ROWS[0], 3))
    await eventually(lambda: explainers_of(os.getpid()), 30, "a process")
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    await queue.close()

    assert explainers_of(os.getpid()) == []


async def test_what_the_process_prints_becomes_records_of_the_log(
    queues: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    await queues().explain(a_version(tmp_path), ROWS[0], 3)
    with Path(f"/proc/{the_explainer()}/fd/2").open("wb", buffering=0) as stderr:  # noqa: ASYNC230 - a pipe
        stderr.write(b"a library's warning\n\nits second line")

    os.kill(the_explainer(), signal.SIGKILL)

    said = "explaining: its process says: "
    await eventually(
        lambda: {said + "a library's warning", said + "its second line"} <= set(caplog.messages), 20, "its lines"
    )


def test_what_ends_the_process_is_told_by_its_type_and_places_and_not_by_what_it_quotes(
    capsys: pytest.CaptureFixture[str],
):
    try:
        float("a row's value")
    except ValueError as error:
        say(type(error), error, error.__traceback__)

    said = capsys.readouterr().err
    assert said.startswith("ValueError < ")
    assert said.count("\n") == 1
    assert "a row's value" not in said
