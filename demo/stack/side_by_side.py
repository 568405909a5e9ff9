"""Run functions side by side, in threads that do not hold up the end of the program.

A ThreadPoolExecutor joins its threads at exit: Ctrl-C during a slow download would seem to do nothing. These are
daemon threads.
"""

import queue
import threading
from collections.abc import Callable, Iterable


def run_side_by_side(jobs: Iterable[Callable[[], object]], at_a_time: int) -> None:
    """Returns when all have run. After a first error no job begins any more; it is raised when the running ones end."""
    waiting: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    errors: list[BaseException] = []

    def work() -> None:
        while not errors:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                job()
            except BaseException as error:  # raised again below, in the caller's thread
                errors.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_a_time, waiting.qsize()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
