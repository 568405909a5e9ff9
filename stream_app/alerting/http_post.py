"""One HTTP POST per attempt, as every sink over HTTP needs it. What a sink must know to use it:

    settings   a class that inherits HttpSettings with an env_prefix (http_settings.py): url, timeouts, ca_bundle,
               allow_private_addresses; load(...) names every wrong or missing one
    HttpPost   HttpPost(settings) in the sink's __init__, path="/api/v2/alerts" to append one to the URL;
               raises SinkSettingsError, so build the sink in from_environment
    send       await post.send(body, headers): returns when the receiver answered 2xx, raises Retry or Refused, whose
               texts hold no URL, no header and no word of the receiver's
    destination, close    for the sink's own properties of these names

Kept by it: connect and read timeouts and a deadline over all (a dripping receiver never passes a read timeout); TLS
verified; redirects never followed, they would hand alert and secret to a place nobody named; private addresses refused
at the connection itself (http_guard.py); the answer's body left unread, it could be endless; 408, 429, 5xx and failed
connections are Retry with Retry-After, anything else but 2xx is Refused; user and password of the URL become Basic
authentication. A sink that understands its receiver's error body gives `explain`: (status, first bytes) -> own words.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import Callable, Mapping

import httpcore
import httpx

from stream_app.alerting.errors import Refused, Retry, SinkSettingsError
from stream_app.alerting.http_answer import judgement
from stream_app.alerting.http_failure import failure_words
from stream_app.alerting.http_guard import ForbiddenAddress, Guard, judge, literal
from stream_app.alerting.http_proxy import proxy_for
from stream_app.alerting.http_settings import HttpSettings

EXPLAINED = 4096
"""Bytes of an answer that `explain` is given, at most."""
_EXPLAIN_SECONDS = 1.0

_log = logging.getLogger(__name__)

Explain = Callable[[int, bytes], str]


class HttpPost:
    """Posts to one URL. clock: seconds since the epoch, for a Retry-After that is a date."""

    def __init__(
        self,
        settings: HttpSettings,
        *,
        path: str = "",
        explain: Explain | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = _appended(httpx.URL(settings.url.get_secret_value()), path)
        self._explain = explain
        self._clock = clock
        self._settings = settings
        # a read timeout counts from the last byte: without a whole a dripping receiver could hold on for ever
        self._whole = settings.connect_timeout_seconds + settings.read_timeout_seconds
        self._check_host()
        if self._url.scheme == "http" and not settings.allow_private_addresses:  # so the receiver is a public one
            _log.warning("%s is http: alerts cross the internet for all to read; use https", settings.variable("url"))
        self._proxy = proxy_for(self._url)
        self._pool = self._made_pool()
        # its debug lines quote the answer's headers, and those of a redirect may repeat the URL
        logging.getLogger("httpcore.http11").addFilter(_no_details)

    @property
    def destination(self) -> str:
        """Scheme, host and port: user, path and query may hold secrets."""
        place = f"{self._url.scheme}://{self._url.netloc.decode()}"
        return f"{place} through the proxy {self._proxy.origin}" if self._proxy else place

    async def send(self, body: bytes, headers: Mapping[str, str]) -> None:
        """One POST. Raises Retry or Refused."""
        try:
            async with asyncio.timeout(self._whole):
                await self._attempt(body, headers)
        except TimeoutError:
            raise Retry(f"no answer within {self._whole:g} s") from None
        except ForbiddenAddress as error:
            raise Refused(str(error)) from None
        except httpcore.TimeoutException as error:
            raise Retry(f"no answer: {type(error).__name__} after at most {self._whole:g} s") from None
        except (httpcore.LocalProtocolError, UnicodeEncodeError):
            raise Refused("the request cannot be sent: a header holds what no header may") from None
        # OSError: what the TLS layer raises when a connection breaks behind httpcore's back
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
            raise Retry(f"no answer: {failure_words(error, self._settings.variable('ca_bundle'))}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _attempt(self, body: bytes, headers: Mapping[str, str]) -> None:
        timeouts = {
            "connect": self._settings.connect_timeout_seconds,
            "read": self._settings.read_timeout_seconds,
            "write": self._settings.read_timeout_seconds,
        }
        given = {"host": self._url.netloc.decode(), "user-agent": "tidemark/1"}
        sent = given | self._authorization() | dict(headers)
        request = self._pool.stream(
            "POST",
            httpcore.URL(
                scheme=self._url.raw_scheme, host=self._url.raw_host, port=self._url.port, target=self._url.raw_path
            ),
            headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()],
            content=body,
            extensions={"timeout": timeouts},
        )
        async with request as answer:
            retry_after = next((v.decode("latin-1") for k, v in answer.headers if k.lower() == b"retry-after"), None)
            failure = judgement(answer.status, retry_after, self._clock())
            if failure is not None and self._explain is not None:
                explanation = self._explain(answer.status, await _beginning(answer))
                failure = judgement(answer.status, retry_after, self._clock(), explanation)
        if failure is not None:
            raise failure

    def _authorization(self) -> dict[str, str]:
        if not self._url.userinfo:
            return {}
        pair = f"{self._url.username}:{self._url.password}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _check_host(self) -> None:
        """An address that is written into the URL is judged before anything is sent, a name when it is resolved."""
        address = literal(self._url.raw_host.decode())
        if address is None:
            return
        try:
            judge(address, self._settings.allow_private_addresses, self._settings.variable("allow_private_addresses"))
        except ForbiddenAddress as error:
            raise SinkSettingsError(f"{self._settings.variable('url')}: {error}") from None

    def _made_pool(self) -> httpcore.AsyncConnectionPool:
        # No connection is used twice: alerts are rare, and each is judged anew. Any number: the reader bounds them.
        trust, most = self._trust(), None
        if self._proxy is None:
            guard = Guard(self._settings.allow_private_addresses, self._settings.variable("allow_private_addresses"))
            return httpcore.AsyncConnectionPool(
                ssl_context=trust, max_connections=most, max_keepalive_connections=0, network_backend=guard
            )
        return httpcore.AsyncHTTPProxy(
            self._proxy.origin,
            proxy_auth=self._proxy.auth,
            ssl_context=trust,
            max_connections=most,
            max_keepalive_connections=0,
        )

    def _trust(self) -> ssl.SSLContext | None:
        if self._settings.ca_bundle is None:
            # reading the public authorities takes a tenth of a second
            return httpx.create_ssl_context() if self._url.scheme == "https" else None
        try:
            return ssl.create_default_context(cafile=str(self._settings.ca_bundle))
        except OSError as error:  # ssl.SSLError is one
            what = error.strerror if not isinstance(error, ssl.SSLError) else "no certificate in PEM form is in it"
            raise SinkSettingsError(
                f"{self._settings.variable('ca_bundle')}: {self._settings.ca_bundle} cannot be used: {what}"
            ) from None


def _appended(url: httpx.URL, path: str) -> httpx.URL:
    """The URL with a path behind its own, in front of its query.

    >>> _appended(httpx.URL("https://example.com/a%2Fb/?c=d"), "/api")
    URL('https://example.com/a%2Fb/api?c=d')
    """
    if not path:
        return url
    own, mark, query = url.raw_path.partition(b"?")
    return url.copy_with(raw_path=own.rstrip(b"/") + path.encode() + mark + query)


async def _beginning(answer: httpcore.Response) -> bytes:
    """The first bytes of a body, as far as they come at once."""
    read = bytearray()
    try:
        async with asyncio.timeout(_EXPLAIN_SECONDS):
            async for part in answer.aiter_stream():
                read += part
                if len(read) >= EXPLAINED:
                    break
    except (TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
        pass  # what came is enough: the status is known, and the explanation an extra
    return bytes(read[:EXPLAINED])


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
