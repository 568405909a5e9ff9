"""Who goes first on the cores that the load tool shares with Kafka and Redis."""

import os
import subprocess
import sys
from pathlib import Path

from bench.api.pinned import stand_back


def test_a_process_that_stands_back_is_nice_in_each_thread_and_where_there_are_autogroups_as_a_session():
    program = "import sys, threading; threading.Thread(target=sys.stdin.read).start(); print('up', flush=True)"
    words = [sys.executable, "-c", program]
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
