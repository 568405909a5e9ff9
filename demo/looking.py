"""What the second act asks the API about the version that is on its way."""

from __future__ import annotations

import aiohttp
import msgspec

from demo.services import Installation

_SHADOWED = 'tidemark_api_shadow_rows_total{outcome="scored"}'


class _Rollout(msgspec.Struct, frozen=True):
    state: str = ""


class _Model(msgspec.Struct, frozen=True):
    rollout: _Rollout | None = None


_decode = msgspec.json.Decoder(_Model).decode


async def rollout_state(installation: Installation) -> str:
    """Whether the API has loaded it: "active" then; "" where nothing is on its way."""
    rollout = _decode(await _got(f"{installation.api_url}/model")).rollout
    return "" if rollout is None else rollout.state


async def shadowed_rows(installation: Installation) -> int:
    """Rows that were scored after the answer, as the API counts them: they are events and nobody's answer."""
    lines = (await _got(f"{installation.api_url}/metrics")).decode().splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith(_SHADOWED)))


async def _got(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()
