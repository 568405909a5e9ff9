"""`python -m api.probe`, the containers' health check, by HTTP and by HTTPS."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.certificates import certificates
from tests.receivers import receiving, status


async def probe(**env: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.probe"), env=env, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize("tls", [False, True])
async def test_ready_is_status_0_and_anything_else_is_status_1(tmp_path: Path, tls: bool):
    context = certificates(tmp_path, "api.example").server if tls else None
    async with receiving(context) as api:
        env = {"API_PORT": str(api.port), "API_TLS_CERT_FILE": "server.pem" if tls else ""}
        api.answers.extend([status(200), status(503)])

        assert await probe(**env) == (0, "")
        code, said = await probe(**env)

        assert (code, api.posted[0].line) == (1, "GET /health/ready HTTP/1.1")
        assert f"http{'s' if tls else ''}://127.0.0.1:{api.port}/health/ready: HTTP Error 503" in said
    assert (await probe(**env))[0] == 1
