import asyncio
import signal
import subprocess
import sys
import textwrap

from api.watch import Watch
from tests.waiting import eventually


async def for_ever() -> None:
    await asyncio.Event().wait()


async def broken() -> None:
    raise RuntimeError("the reason")


async def test_a_task_that_ends_by_an_error_is_said_with_its_traceback_and_ends_the_process_once(caplog):
    asked: list[bool] = []
    watch = Watch(lambda: asked.append(True))
    watch.start("well", for_ever())
    watch.start("publisher", broken())
    watch.start("sync", broken())

    await eventually(lambda: watch.failed, 5, "the failure")

    assert asked == [True]
    assert "task publisher has ended" in caplog.text
    assert "RuntimeError: the reason" in caplog.text
    await watch.end()


async def test_tasks_that_are_ended_have_not_failed():
    asked: list[bool] = []
    watch = Watch(lambda: asked.append(True))
    watch.start("well", for_ever())
    await asyncio.sleep(0)

    await watch.end()

    assert not watch.failed
    assert asked == []


def test_the_process_of_a_failed_task_ends_in_order_and_its_status_says_so():
    """Under the real server, whose SIGTERM means status 0 otherwise."""
    program = """
        import asyncio, signal, sys
        from contextlib import asynccontextmanager
        import uvicorn
        from fastapi import FastAPI
        from api.watch import Watch, leave

        async def broken():
            await asyncio.sleep(0)
            raise RuntimeError("the reason")

        @asynccontextmanager
        async def running(_):
            watch = Watch()
            watch.start("publisher", broken())
            yield
            await watch.end()
            print("drained", flush=True)
            if watch.failed:
                await leave(1)

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        config = uvicorn.Config(FastAPI(lifespan=running), port=0, loop="uvloop", lifespan="on", log_config=None)
        uvicorn.Server(config).run()
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=False
    )

    assert ended.returncode == 1 != -signal.SIGTERM
    assert ended.stdout == "drained\n"
    assert "RuntimeError: the reason" in ended.stderr
