"""The proxy that the environment names for a URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), if any.

Behind a proxy the sink connects to the proxy alone, whose address the operator chose and nobody checks. What the
receiver's name means is then the proxy's knowledge, and keeping it from private addresses is the proxy's duty; only
an address written into the URL itself is still refused here.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.request import getproxies_environment, proxy_bypass

import httpx

from stream_app.alerting.errors import SinkSettingsError

# a proxy is for the world outside
_DIRECT = ("localhost", "127.0.0.1", "::1")
_ADVICE = (
    "a proxy of the environment (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used: give an http:// or https:// "
    "URL, or unset it, or name the receiver in NO_PROXY"
)
# httpcore asks for it without brackets, and no proxy can tell address and port apart
_NO_IPV6 = (
    "an IPv6 address in the URL is not reached through a proxy: give the receiver's name there, or the address in "
    "brackets in NO_PROXY"
)


class Proxy(NamedTuple):
    """origin: scheme, host and port, no secret in it. auth: user and password, in UTF-8 (RFC 7617)."""

    origin: str
    auth: tuple[bytes, bytes] | None


def proxy_for(url: httpx.URL) -> Proxy | None:
    """None: connect directly. Raises SinkSettingsError, without the proxy's password."""
    if url.host in _DIRECT or proxy_bypass(url.netloc.decode()):
        return None
    proxies = getproxies_environment()
    text = proxies.get(url.scheme) or proxies.get("all")
    if not text:
        return None
    try:
        proxy = httpx.URL(text if "://" in text else f"http://{text}")
        host = proxy.host
    except (httpx.InvalidURL, UnicodeError):
        raise SinkSettingsError(_ADVICE) from None
    if proxy.scheme not in ("http", "https") or not host:
        raise SinkSettingsError(_ADVICE)
    if ":" in url.host:
        raise SinkSettingsError(_NO_IPV6)
    auth = (proxy.username.encode(), proxy.password.encode()) if proxy.userinfo else None
    return Proxy(f"{proxy.scheme}://{proxy.netloc.decode()}", auth)
