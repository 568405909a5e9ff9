import itertools

import pytest

from api.health import Health, readiness

PARTS = ("model", "outbox", "kafka", "redis", "registry", "labels")


@pytest.mark.parametrize("ok", list(itertools.product((True, False), repeat=len(PARTS))))
def test_unavailable_is_what_cannot_answer_and_degraded_is_what_can_but_misses_something(ok: tuple[bool, ...]):
    parts = dict(zip(PARTS, ok, strict=True))

    state = readiness(**{name: Health(well, name) for name, well in parts.items()})

    if not (parts["model"] and parts["outbox"]):
        assert state.status == "unavailable"
    else:
        assert state.status == ("ready" if all(ok) else "degraded")
    assert {name: part.state == "ok" for name, part in state.dependencies.items()} == parts
