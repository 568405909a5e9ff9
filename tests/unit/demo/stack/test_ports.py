import random
import socket

from demo.stack.ports import choose_port, is_free


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_a_port_with_a_listener_is_not_free_and_becomes_free_when_it_ends() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_port_with_closed_connections_of_an_ended_server_is_free() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first keeps the connection in TIME_WAIT
        client.close()
    assert is_free(port)


def test_a_chosen_port_is_free_and_below_those_that_the_kernel_gives_to_clients() -> None:
    rng = random.Random(7)
    for _ in range(50):
        port = choose_port(rng)
        assert 20_000 <= port <= 32_000
        assert is_free(port)


def test_a_taken_port_is_not_chosen() -> None:
    first = random.Random(11).randint(20_000, 32_000)
    with socket.create_server(("127.0.0.1", first)):
        assert choose_port(random.Random(11)) != first


def test_a_port_is_given_once_though_nobody_listens_on_it_yet() -> None:
    assert len({choose_port(random.Random(12)) for _ in range(20)}) == 20
