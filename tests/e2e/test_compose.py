"""The containers of compose/: built from this checkout, brought up, fed over HTTP until a signed webhook arrives.

quiet traffic ─▶ api ─▶ Kafka ─▶ worker-1 (killed), worker-2 ─▶ alert ─▶ sink ─▶ receiver on the host
"""

import asyncio
import base64
import json
import math
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from demo.datasets.payments import Payments
from demo.load import Tally, send
from demo.receiver import Receiver
from demo.scenario import Phase, Plan, event_times, plot, start_before
from demo.traffic import bodies
from tests.e2e.containers import Containers, gateway, image_bytes
from tests.e2e.switching import Predictions, Users
from tests.waiting import eventually

pytestmark = pytest.mark.compose

SEED = 11
PLAN = Plan(rows_per_window=1_000, quiet_windows=4, episode_windows=4, window=timedelta(hours=1))
LONG_RUNNING = ("kafka", "redis", "api", "worker-1", "worker-2", "performance", "sink")
ONE_SHOT = ("topics", "example", "train")
API_IMAGE_BYTES = 400_000_000  # 359 MB, and some room
DATA = "/var/lib/tidemark/data"
SECOND_VERSION = ("train", "--data", DATA, "--model", "payments", "--alias", "spare", "--estimator", "logistic")


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Receiver, str]]:
    """The receiver, and the secret that it shares with the sink."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    with Receiver(gateway(), 0, secret, tmp_path_factory.mktemp("receiver") / "alerts.jsonl") as running:
        yield running, secret


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory, receiver: tuple[Receiver, str]) -> Iterator[Containers]:
    port = receiver[0].url.rstrip("/").rpartition(":")[2]
    running = Containers(
        tmp_path_factory.mktemp("compose"),
        {
            "TIDEMARK_SINK": "webhook",
            "SINK_WEBHOOK_URL": f"http://host.docker.internal:{port}/",
            "SINK_WEBHOOK_SECRET": receiver[1],
            "SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",
            "STREAM_WINDOW_SECONDS": str(round(PLAN.window.total_seconds())),
            "STREAM_LATENESS_SECONDS": "300",
            "STREAM_MAX_AGE_SECONDS": str(30 * 86_400),
            "TIDEMARK_GREEN_ALIAS": "green",
        },
    )
    try:
        running("up", "--detach", "--build", "--wait", "--wait-timeout", "300")
        yield running
    finally:
        # shown by pytest when a test failed
        print(running.attempt("logs", "--no-color", "--tail", "60")[1])
        # without their profile the services of one would be left
        running.attempt("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")


def test_every_service_is_healthy_and_every_one_shot_has_done_its_work(containers: Containers) -> None:
    state = containers.state()
    assert {name: state[name]["Health"] for name in LONG_RUNNING} == dict.fromkeys(LONG_RUNNING, "healthy")
    assert {name: state[name]["ExitCode"] for name in ONE_SHOT} == dict.fromkeys(ONE_SHOT, 0)


def test_our_services_do_not_run_as_root(containers: Containers) -> None:
    for name in ("api", "worker-1", "worker-2", "sink"):
        assert containers("exec", "-T", name, "id", "-u").strip() == "10001", name


def test_the_image_of_the_api_stays_small(containers: Containers) -> None:
    service = json.loads(containers("config", "--format", "json"))["services"]["api"]
    assert service["build"]["target"] == "slim"
    assert 0 < image_bytes(service["image"]) <= API_IMAGE_BYTES


async def test_drift_sent_over_http_arrives_as_a_signed_webhook_and_the_accounts_balance(
    containers: Containers, receiver: tuple[Receiver, str]
) -> None:
    quiet, unit_bug, *_ = phases = plot(Payments(), PLAN, SEED)
    start = start_before(datetime.now(UTC), sum(phase.windows for phase in phases), PLAN)
    tally = Tally()

    await feed(containers, quiet, start, tally)
    containers("kill", "--signal", "SIGKILL", "worker-1")
    await feed(containers, unit_bug, start, tally)
    containers("up", "--detach", "--wait", "worker-1")

    await eventually(lambda: receiver[0].receipts(), 120, "an alert at the receiver")
    alert = receiver[0].receipts()[0].alert
    assert alert.transition == "raise"
    assert set(unit_bug.blames) <= {feature.feature for feature in alert.features}
    # the second window of the drift: the policy pages when two of the last three windows alarm
    assert alert.window_start == start + (unit_bug.first + 1) * PLAN.window

    assert tally.refused == {}
    assert len(tally.answered) == len(set(tally.answered)) == (quiet.windows + unit_bug.windows) * PLAN.rows_per_window
    answered = "\n".join(tally.answered)
    audit = ("run", "--rm", "-T", "audit", "audit", "--answered", "/dev/stdin")

    def balanced() -> bool:
        nonlocal accounts
        status, accounts = containers.attempt(*audit, stdin=answered)
        return status == 0

    accounts = ""
    await eventually(balanced, 60, "accounts that balance (audit ends with status 0)")
    print(accounts)
    assert set(containers.state()) >= {*LONG_RUNNING, *ONE_SHOT}


async def feed(containers: Containers, phase: Phase, start: datetime, tally: Tally) -> None:
    times = event_times(start + phase.first * PLAN.window, PLAN.step, len(phase.rows))
    await send(bodies(phase.rows, Payments().description, times), containers.api_url, tally, rate=0)


async def test_watch_runs_when_it_is_asked_for_and_says_what_it_decides(containers: Containers) -> None:
    assert "watch" not in containers.state()
    containers("up", "--detach", "--no-deps", "watch")
    # held, where the test before has broken the unit of a feature
    decided = re.compile(r"(wait|held): ")
    await eventually(lambda: decided.search(containers("logs", "--no-log-prefix", "watch")), 120, "what watch decides")
    containers("rm", "--stop", "--force", "watch")


async def test_all_traffic_moves_to_the_green_api_and_back_and_no_request_fails_and_no_event_is_lost(
    containers: Containers,
) -> None:
    """The last test here: blue and green take the place of the API that the others use.

    users ─▶ proxy ─▶ blue (version 1) ··▶ green (version 2) ··▶ blue
    """
    containers("rm", "--stop", "--force", "api")
    containers.files = ("compose.yaml", "blue-green.yaml")
    await asyncio.gather(
        asyncio.to_thread(containers, "up", "--detach", "--no-deps", "--build", "--wait", "blue", "proxy"),
        asyncio.to_thread(containers, "run", "--rm", "-T", "--no-deps", "training", *SECOND_VERSION),
    )
    users, enough = Users(containers.api_url), asyncio.Event()

    async with Predictions(containers.bootstrap) as predictions:
        asking = asyncio.create_task(users.ask(bodies(Payments().quiet(SEED), Payments().description), enough))
        await users.have(50)
        switch = await users.meanwhile(
            containers.blue_green, "switch", "--version", "2", "--image", "tidemark/api:blue"
        )
        of_blue = users.answers[:20]
        await users.have(50)
        labelled_by_green = await users.label(of_blue)
        back = await users.meanwhile(containers.blue_green, "back")
        await users.have(50)
        labelled_by_blue = await users.label(users.asked(switch.ended, back.began))
        enough.set()
        await asking

        assert users.failed == []
        assert {one.version for one in users.asked(0, switch.began)} == {"1"}
        assert {one.version for one in users.asked(switch.ended, back.began)} == {"2"}
        assert {one.version for one in users.asked(back.ended, math.inf)} == {"1"}
        answered = {one.prediction_id: one.version for one in users.answers}
        await eventually(lambda: predictions.are(answered), 30, f"{len(answered)} events on the topic")

    # each accepts what the other one has signed
    assert (labelled_by_green["refused"], labelled_by_blue["refused"]) == (0, 0)
    print(
        f"{len(answered)} answers; switch {switch.seconds:.1f} s, back {back.seconds:.1f} s\n{switch.said}{back.said}"
    )
