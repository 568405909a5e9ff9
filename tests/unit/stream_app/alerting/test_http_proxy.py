"""A proxy of the environment: when it is used, what it is told, and what is still refused behind it."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping

import httpx
import pytest

from stream_app.alerting.errors import DeliveryError, Retry, SinkSettingsError
from stream_app.alerting.http_post import HttpPost
from stream_app.alerting.http_proxy import proxy_for
from stream_app.alerting.http_settings import HttpSettings
from tests.certificates import certificates
from tests.receivers import HttpReceiver, echo_nonsense, hang_up, listening, receiving, status

Environment = Callable[[Mapping[str, str]], None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Sets the variables of proxies to exactly what is given; the environment is the interface under test."""

    def settle(variables: Mapping[str, str]) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    settle({})
    return settle


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://alerts.example.com/", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://alerts.example.com/", "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, "https://alerts.example.com/", "http://proxy:3128"),
        ({"ALL_PROXY": "https://proxy"}, "https://alerts.example.com/", "https://proxy"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "https://alerts.example.com/", None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://alerts.example.com/", "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "example.com"}, "https://alerts.example.com/", None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "alertmanager"}, "http://alertmanager:9093/", None),
        ({"ALL_PROXY": "http://proxy"}, "http://localhost:9000/", None),
        ({"ALL_PROXY": "http://proxy"}, "http://127.0.0.1:9000/", None),
        ({"ALL_PROXY": "http://proxy"}, "http://[::1]:9000/", None),
    ],
)
def test_the_environment_says_which_proxy_and_loopback_needs_none(environment, variables, url, proxy) -> None:
    environment(variables)
    found = proxy_for(httpx.URL(url))
    assert (found and found.origin) == proxy


def test_a_proxys_password_is_kept_apart_from_what_is_shown(environment: Environment) -> None:
    environment({"HTTPS_PROXY": "http://user:topsecret@proxy:3128"})
    post = HttpPost(HttpSettings(url="https://alerts.example.com/hook"))
    assert post.destination == "https://alerts.example.com through the proxy http://proxy:3128"
    found = proxy_for(httpx.URL("https://alerts.example.com/"))
    assert found is not None
    assert found.auth == (b"user", b"topsecret")


@pytest.mark.parametrize(
    "proxy", ["gopher://user:topsecret@proxy", "socks5://user:topsecret@proxy", "http://a:b:c", "http://xn--"]
)
def test_a_proxy_that_cannot_be_used_is_one_line_that_shows_no_password(environment, proxy: str) -> None:
    environment({"HTTPS_PROXY": proxy})
    with pytest.raises(SinkSettingsError, match="HTTPS_PROXY") as caught:
        HttpPost(HttpSettings(url="https://alerts.example.com/"))
    assert "topsecret" not in str(caught.value)


async def test_the_proxy_itself_may_be_private_and_is_told_the_receivers_name(environment: Environment) -> None:
    async with receiving() as proxy:
        environment({"HTTP_PROXY": f"http://user:tops%C3%A9cret@127.0.0.1:{proxy.port}"})
        post = HttpPost(HttpSettings(url="http://alerts.example.com/hook"))
        await post.send(b"{}", {})
        await post.close()
    (posted,) = proxy.posted
    assert posted.line == "POST http://alerts.example.com/hook HTTP/1.1"
    assert posted.headers["host"] == "alerts.example.com"
    assert posted.headers["proxy-authorization"] == "Basic " + base64.b64encode("user:topsécret".encode()).decode()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_ipv6_address_is_not_asked_of_a_proxy_and_no_proxy_may_name_it(environment, scheme: str) -> None:
    settings = HttpSettings(url=f"{scheme}://[2606:2800:220:1::1]:8080/hook")
    environment({"ALL_PROXY": "http://proxy:3128"})
    with pytest.raises(SinkSettingsError, match="in brackets in NO_PROXY"):
        HttpPost(settings)
    environment({"ALL_PROXY": "http://proxy:3128", "NO_PROXY": "[2606:2800:220:1::1]"})
    assert HttpPost(settings).destination == f"{scheme}://[2606:2800:220:1::1]:8080"


async def test_an_https_receiver_is_reached_through_a_tunnel_that_the_proxy_may_refuse(
    environment: Environment,
) -> None:
    async with receiving() as proxy:
        proxy.answers.append(status(407, phrase="who is topsecret"))
        environment({"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
        post = HttpPost(HttpSettings(url="https://alerts.example.com/topsecret"))
        with pytest.raises(Retry) as caught:
            await post.send(b"{}", {"authorization": "topsecret"})
        await post.close()
    assert [posted.line for posted in proxy.posted] == ["CONNECT alerts.example.com:443 HTTP/1.1"]
    assert str(caught.value) == "no answer: the proxy refused the connection (407)"
    assert "authorization" not in proxy.posted[0].headers


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_secret_is_logged_on_the_way_through_a_proxy(environment, caplog, scheme: str) -> None:
    caplog.set_level(logging.DEBUG)
    pair = base64.b64encode(b"user:topsecret").decode()
    said = {"location": "http://topsecret/", "x-said": pair}
    async with receiving() as proxy:
        environment({"ALL_PROXY": f"http://user:topsecret@127.0.0.1:{proxy.port}"})
        post = HttpPost(HttpSettings(url=f"{scheme}://user:topsecret@alerts.example.com/topsecret"))
        for answer in (status(407, said, phrase="topsecret"), status(302, said), echo_nonsense, hang_up):
            proxy.answers.append(answer)
            with pytest.raises(DeliveryError) as caught:
                await post.send(b"topsecret", {"x-key": "topsecret"})
            assert "topsecret" not in str(caught.value)
        await post.close()
    assert "connect_tcp.started" in caplog.text
    assert [secret for secret in ("topsecret", pair) if secret in caplog.text] == []


async def test_a_certificate_is_verified_through_the_tunnel_too(environment: Environment, tmp_path) -> None:
    tls = certificates(tmp_path, "other.example.com")
    async with receiving(tls.server) as receiver, listening(_tunnel_to(receiver)) as port:
        environment({"HTTPS_PROXY": f"http://127.0.0.1:{port}"})
        for name, arrives in (("alerts.example.com", False), ("other.example.com", True)):
            post = HttpPost(HttpSettings(url=f"https://{name}/", ca_bundle=tls.authority))
            if arrives:
                await post.send(b"{}", {})
            else:
                with pytest.raises(Retry, match="certificate is not trusted"):
                    await post.send(b"{}", {})
            await post.close()
    assert [posted.headers["host"] for posted in receiver.posted] == ["other.example.com"]


@pytest.mark.parametrize("host", ["10.0.0.1", "0xa9fea9fe", "[::ffff:10.0.0.1]", "127.1", "127.0.0.1."])
def test_an_address_in_the_url_is_judged_behind_a_proxy_as_well(environment: Environment, host: str) -> None:
    environment({"ALL_PROXY": "http://proxy:3128"})
    with pytest.raises(SinkSettingsError, match="receiver's address"):
        HttpPost(HttpSettings(url=f"http://{host}/"))


def _tunnel_to(receiver: HttpReceiver):
    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
        finally:
            there_writer.close()

    return tunnel
