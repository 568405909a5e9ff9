"""Why there was no answer, in our own words: an error's text may quote what the receiver sent. Pure."""

from __future__ import annotations

import os
import socket
import ssl

import httpcore


def failure_words(error: Exception, bundle: str) -> str:
    """error: of httpcore, or of the system. bundle: the variable that names other certificate authorities.

    >>> failure_words(httpcore.ConnectError(ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 80)")), "X")
    'ConnectError: Connection refused'
    >>> failure_words(httpcore.RemoteProtocolError("illegal status line: b'token=s3cret'"), "X")
    'RemoteProtocolError'
    >>> failure_words(httpcore.ProxyError("407 Proxy Authentication Required"), "X")
    'the proxy refused the connection (407)'
    """
    what: str = type(error).__name__
    if isinstance(error, httpcore.ProxyError):
        return f"the proxy refused the connection ({str(error)[:3]})"
    # httpcore's pool raises its errors "from None": what was behind one is its argument
    behind = (given for given in error.args if isinstance(given, BaseException))
    cause = error if isinstance(error, OSError) else next(behind, None)
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message}); {bundle} names other authorities"
        if isinstance(cause, OSError) and (detail := _reason(cause)):
            what = f"{type(error).__name__}: {detail}"
        cause = cause.__cause__
    return what


def _reason(error: OSError) -> str | None:
    """In the words of OpenSSL, of the resolver or of the system."""
    if isinstance(error, ssl.SSLError):
        return error.reason
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror
    return os.strerror(error.errno)
