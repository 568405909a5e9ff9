"""Which servers the integration tests get: the law of tests/servers/choice.py."""

import pytest

from tests.servers.choice import Engine, choose
from tests.servers.verbs import NoServers


def never_asked() -> Engine:
    raise AssertionError("the engine was asked")


def test_a_docker_engine_that_answers_is_used() -> None:
    choice = choose("auto", lambda: Engine("26.1"))
    assert choice.line == "testcontainers (Docker 26.1)"
    assert choice.require().name == "testcontainers"


def test_without_an_engine_the_local_stack_is_used_and_the_line_says_why() -> None:
    choice = choose("auto", lambda: Engine(problem="no Docker engine answers"))
    assert choice.line == "local stack (no Docker engine answers)"
    assert choice.require().name == "local stack"


def test_an_engine_without_the_images_is_not_used_and_the_line_says_why() -> None:
    choice = choose("auto", lambda: Engine("26.1", "Docker 26.1 answers, but has not and cannot pull redis:7.4-alpine"))
    assert choice.line == "local stack (Docker 26.1 answers, but has not and cannot pull redis:7.4-alpine)"


def test_the_local_stack_can_be_forced_and_the_engine_is_not_asked() -> None:
    assert choose("local", never_asked).require().name == "local stack"


def test_forcing_docker_without_an_engine_is_an_error_that_says_what_to_do() -> None:
    choice = choose("docker", lambda: Engine(problem="no Docker engine answers"))
    with pytest.raises(NoServers, match="TIDEMARK_TEST_SERVERS=docker, but no Docker engine answers; start one, or"):
        choice.require()


def test_a_wish_that_is_none_of_the_three_is_an_error_that_names_them() -> None:
    with pytest.raises(NoServers, match="TIDEMARK_TEST_SERVERS='podman' is not one of auto, docker, local"):
        choose("podman", never_asked).require()
