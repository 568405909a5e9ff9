"""Is a server ready? Each probe sends one real request and wants a real answer; an open port alone proves little."""

import socket
import struct

_TIMEOUT = 1.0  # s, for one probe on the loopback

# Kafka request header (v1): length, api key 18 = ApiVersions, version 0, correlation id, client id.
_CLIENT = b"tidemark"
_API_VERSIONS = struct.pack(f">ihhih{len(_CLIENT)}s", 10 + len(_CLIENT), 18, 0, 1, len(_CLIENT), _CLIENT)


def kafka_answers(port: int) -> bool:
    """Whether the broker on 127.0.0.1 answers ApiVersions without an error."""
    answer = _exchange(port, _API_VERSIONS, 10)  # length, correlation id, error code
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)


def redis_answers(port: int) -> bool:
    """Whether the Redis on 127.0.0.1 answers PING. While it loads its file it says -LOADING, which is not ready."""
    return _exchange(port, b"PING\r\n", 7) == b"+PONG\r\n"


def _exchange(port: int, request: bytes, answer_bytes: int) -> bytes:
    """Up to `answer_bytes` of the answer; empty when nobody listens or nothing comes in time."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as connection:
            connection.sendall(request)
            answer = b""
            while len(answer) < answer_bytes:
                piece = connection.recv(answer_bytes - len(answer))
                if not piece:
                    return b""
                answer += piece
            return answer
    except OSError:
        return b""
