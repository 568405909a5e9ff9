"""What an HTTP answer means for an alert: delivered, worth another attempt, or refused. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from stream_app.alerting.errors import DeliveryError, Refused, Retry

_RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def judgement(status: int, retry_after_header: str | None, now: float, explanation: str = "") -> DeliveryError | None:
    """None for 2xx; Retry for 408, 429 and 5xx; Refused for anything else, a redirect too.

    now: seconds since the epoch. explanation: appended; in the sink's own words, the receiver's could hold a secret.

    >>> judgement(204, None, 0.0)
    >>> judgement(503, "7", 0.0), judgement(503, "7", 0.0).after
    (Retry('the receiver answered 503 Service Unavailable'), 7.0)
    >>> judgement(400, None, 0.0, "invalid_blocks")
    Refused('the receiver answered 400 Bad Request: invalid_blocks')
    """
    if 200 <= status < 300:
        return None
    # The standard's phrase, not the receiver's own, which could repeat the URL.
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    said = f"the receiver answered {status} {phrase}".rstrip() + (f": {explanation}" if explanation else "")
    if status in _RETRIED or 500 <= status < 600:
        return Retry(said, retry_after(retry_after_header, now))
    return Refused(f"{said} (redirects are not followed)" if 300 <= status < 400 else said)


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait as the header `Retry-After` says (a number, or an HTTP date); None without a usable one.

    >>> retry_after("120", 0.0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), retry_after("soon", 0.0)
    (120.0, 40.0, None)
    """
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
