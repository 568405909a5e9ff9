"""What the answer to an error says in its headers: when to try again, which key is asked for, whether to hang up."""

from __future__ import annotations

from api.errors import (
    BodyTooLate,
    IdempotencyInProgress,
    LookupsAway,
    NotAdmitted,
    NotServing,
    OutOfScope,
    RateExceeded,
)

_REALM = 'Bearer realm="tidemark"'


def headers_of(error: Exception) -> tuple[tuple[str, str], ...]:
    """Pairs of name and value, names in lower case. WWW-Authenticate as in RFC 6750, section 3.

    >>> headers_of(RateExceeded(3, "slower"))
    (('retry-after', '3'), ('ratelimit', '"rows";r=0;t=3'))
    """
    match error:
        case NotServing() | LookupsAway() | IdempotencyInProgress():
            return (("retry-after", str(error.retry_after)),)
        case NotAdmitted(category="no-key"):
            return (("www-authenticate", _REALM),)  # without a code, says RFC 6750: nothing was presented
        case NotAdmitted():
            return (("www-authenticate", f'{_REALM}, error="invalid_token"'),)
        case OutOfScope():
            return (("www-authenticate", f'{_REALM}, error="insufficient_scope", scope="{error.scope}"'),)
        case RateExceeded():
            # draft-ietf-httpapi-ratelimit-headers; only here, so that answers cost nothing
            return (("retry-after", str(error.retry_after)), ("ratelimit", f'"rows";r=0;t={error.retry_after}'))
        case BodyTooLate():
            return (("connection", "close"),)  # what still comes of that body would be read as the next request
    return ()
