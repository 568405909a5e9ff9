"""Who goes first on the cores that the load tool shares with Kafka and Redis."""

import os
import subprocess
import sys
from pathlib import Path

from bench.pinned import go_ahead, stand_back

PROGRAM = "import sys, threading; threading.Thread(target=sys.stdin.read).start(); print('up', flush=True)"
"""Two threads, until its standard input ends."""


def test_a_process_that_stands_back_is_nice_in_each_thread_and_where_there_are_autogroups_as_a_session():
    words = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(words, stdin=-1, stdout=-1, start_new_session=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()

        stand_back(process.pid)

        threads = os.listdir(f"/proc/{process.pid}/task")
        nice = [os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in threads]
        group = Path(f"/proc/{process.pid}/autogroup")
        said = group.read_text().split()[-1] if group.exists() else "5"
        process.stdin.close()
    assert len(nice) == 2
    assert min(nice) >= 5
    assert int(said) == 5


def test_a_process_that_goes_ahead_does_so_with_each_thread_where_that_is_allowed() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=-1, stdout=-1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        go_ahead(process.pid)
        threads = os.listdir(f"/proc/{process.pid}/task")
        found = {os.sched_getscheduler(int(thread)) for thread in threads}
        process.stdin.close()
    assert len(threads) == 2
    assert found == {os.SCHED_RR if allowed() else os.SCHED_OTHER}


def test_without_the_right_nobody_goes_ahead_and_of_a_process_that_has_ended_nobody_does() -> None:
    program = "import os, resource; from bench.pinned import go_ahead; "
    program += "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0)); os.getuid() or os.setresuid(65534, 65534, 65534); "
    program += "go_ahead(os.getpid()); print(os.sched_getscheduler(0))"
    assert int(subprocess.check_output([sys.executable, "-c", program])) == os.SCHED_OTHER
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    go_ahead(process.pid)


def allowed() -> bool:
    """Whether this user may have a process go ahead."""
    program = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    return subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL, check=False).returncode == 0
