"""Children that are small Python programs; each test ends what it starts."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.stack.errors import NotRunning, StartFailed
from demo.stack.launch import Guard
from demo.stack.processes import ServiceProcess
from tests.waiting import eventually_sync

LINUX = sys.platform == "linux"
GUARDS = ["prctl", "pipe"] if LINUX else ["pipe"]
REPOSITORY = Path(__file__).parents[4]
SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"

Make = Callable[..., ServiceProcess]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Call it for a not yet started Python child that runs the given program."""
    made: list[ServiceProcess] = []

    def create(program: str = SLEEP, **options: object) -> ServiceProcess:
        command = [sys.executable, "-c", program]
        made.append(ServiceProcess("child", command, tmp_path / "logs" / "child.log", **options))
        return made[-1]

    yield create
    for process in made:
        process.kill()


def exists(pid: int) -> bool:
    """False also for a zombie, which some containers never collect."""
    try:
        os.kill(pid, 0)
        return not LINUX or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def until_up(process: ServiceProcess) -> None:
    eventually_sync(lambda: "up" in process.tail(), within=10, what="the child's first line")


def test_a_child_runs_with_its_environment_and_directory_and_its_output_is_in_the_log(
    make: Make, tmp_path: Path
) -> None:
    process = make("import os; print(os.environ['COLOUR'], os.getcwd())", env={"COLOUR": "blue"}, cwd=tmp_path)
    process.start()
    assert process.wait(10) == 0
    assert process.tail() == [f"blue {tmp_path}"]
    assert process.returncode == 0
    assert not process.alive()


def test_the_pid_is_that_of_the_command_itself(make: Make) -> None:
    process = make("import os; print(os.getpid())")
    process.start()
    pid = process._popen.pid
    process.wait(10)
    assert process.tail() == [str(pid)]


@pytest.mark.parametrize("guard", GUARDS)
def test_terminate_ends_a_child_in_order(make: Make, guard: Guard) -> None:
    process = make(guard=guard)
    process.start()
    until_up(process)
    assert process.terminate(10) == -signal.SIGTERM


def test_a_child_that_ignores_the_request_is_killed_and_the_log_says_so(make: Make) -> None:
    process = make(STUBBORN)
    process.start()
    until_up(process)
    assert process.terminate(0.2) == -signal.SIGKILL
    assert "did not end within 0.2 s of SIGTERM" in process.tail()[-1]


def test_a_paused_child_is_still_stopped_in_order(make: Make) -> None:
    process = make()
    process.start()
    until_up(process)
    process.pause()
    assert process.terminate(10) == -signal.SIGTERM


def test_a_killed_child_can_be_started_again_and_the_log_goes_on(make: Make) -> None:
    process = make()
    process.start()
    until_up(process)
    first = process.pid
    assert process.kill() == -signal.SIGKILL
    process.start()
    assert process.pid != first
    eventually_sync(lambda: process.tail() == ["up", "up"], within=10, what="the second child's first line")


def test_a_thread_that_notices_the_end_does_not_kill_what_another_thread_has_started_since(make: Make) -> None:
    process = make()
    process.start()
    until_up(process)
    first = process._popen
    assert first is not None
    with process._change:  # held by whoever starts it again
        os.kill(first.pid, signal.SIGKILL)
        eventually_sync(lambda: not exists(first.pid), within=10, what="it has ended")
        asking = threading.Thread(target=process.alive)
        asking.start()
        eventually_sync(lambda: first.returncode is not None, within=10, what="the end is noticed")
        process.start()
    asking.join()
    eventually_sync(lambda: process.tail().count("up") == 2, within=10, what="the second life's first line")


def test_starting_a_running_child_changes_nothing(make: Make) -> None:
    process = make()
    process.start()
    pid = process.pid
    process.start()
    assert process.pid == pid


def test_what_a_crashed_child_leaves_behind_goes_with_it(make: Make) -> None:
    leave_one = (
        "import os, subprocess, sys;"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(other.pid, flush=True); os._exit(3)"
    )
    process = make(leave_one)
    process.start()
    assert process.wait(10) == 3
    orphan = int(process.tail()[0])
    eventually_sync(lambda: not exists(orphan), within=5, what="the end of the child's own child")


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"cannot start ghost: /no/such/program: No such file"):
        ServiceProcess("ghost", ["/no/such/program"], tmp_path / "log").start()


def test_a_working_directory_that_does_not_exist_is_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="nowhere"):
        make(cwd=tmp_path / "nowhere").start()


def test_asking_a_child_that_does_not_run_is_an_error_with_its_name(make: Make) -> None:
    process = make()
    for ask in (lambda: process.pid, process.pause, process.resume, process.wait):
        with pytest.raises(NotRunning, match="child is not running"):
            ask()
    assert process.terminate() is None
    assert process.kill() is None
    assert process.returncode is None
    assert process.tail() == []


def test_tail_is_the_end_of_a_long_log(make: Make) -> None:
    process = make("for n in range(50_000): print(n)")
    process.start()
    process.wait(20)
    assert process.tail(3) == ["49997", "49998", "49999"]


def test_a_child_whose_reader_went_away_ends_as_the_system_intends(tmp_path: Path) -> None:
    """Python ignores SIGPIPE and an ignored signal stays ignored across exec: the launcher has to undo that."""
    command = ["/bin/sh", "-c", "kill -PIPE $$; echo ignored"]
    process = ServiceProcess("reader", command, tmp_path / "log")
    process.start()
    assert process.wait(10) == -signal.SIGPIPE
    assert process.tail() == []


async def test_a_child_outlives_the_thread_that_started_it(make: Make) -> None:
    process = make()
    thread = threading.Thread(target=process.start)
    thread.start()
    await asyncio.to_thread(thread.join)
    until_up(process)
    assert process.alive()


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("program", [SLEEP, STUBBORN], ids=["ordinary", "stubborn"])
def test_a_child_dies_when_its_parent_is_killed(guard: Guard, program: str, tmp_path: Path) -> None:
    parent_program = f"""
import sys, time
from pathlib import Path
from demo.stack.processes import ServiceProcess
child = ServiceProcess("child", [sys.executable, "-c", {program!r}], Path({str(tmp_path / "log")!r}), guard={guard!r})
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert exists(child)
    finally:
        parent.kill()
        parent.communicate()
    eventually_sync(lambda: not exists(child), within=5, what="the end of the child")
