"""Which network addresses alerts may be posted to: public ones; private ones when it is allowed; some never. Pure.

What may lie behind a URL that somebody else chose (SSRF): the sink's own machine, its neighbours, and the address where
a cloud hands out credentials (169.254.169.254). An address is judged here, not a spelling: `2130706433`, `0177.0.0.1`
and `::ffff:127.0.0.1` are all 127.0.0.1 once they are resolved.
"""

from __future__ import annotations

import ipaddress
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reach = Literal["public", "private", "never"]

_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598: behind a carrier's or a cloud's translation
        "::1/128",
        "fc00::/7",  # RFC 4193, unique local
        "fec0::/10",  # site-local, deprecated by RFC 3879
    )
)
# IPv6 addresses that carry an IPv4 address, to which a gateway would pass the packets on: network, lowest bit of the 32
_CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (ipaddress.IPv6Network("::/96"), 0),  # compatible, deprecated
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),  # NAT64 of one's own network
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)


def reach(address: Address) -> Reach:
    """public: anybody's. private: this machine's or this network's. never: nobody receives alerts there.

    never: link-local (a cloud's metadata), multicast, unspecified, reserved and documentation addresses.

    >>> [reach(ipaddress.ip_address(text)) for text in ("93.184.216.34", "10.1.2.3", "169.254.169.254")]
    ['public', 'private', 'never']
    >>> [reach(ipaddress.ip_address(text)) for text in ("::ffff:10.1.2.3", "64:ff9b::7f00:1", "fd00::1", "::")]
    ['private', 'private', 'private', 'never']
    """
    if any(address in network for network in _PRIVATE):
        return "private"
    if isinstance(address, ipaddress.IPv6Address) and (carried := _carried(address)) is not None:
        return reach(carried)
    return "public" if address.is_global and not address.is_multicast else "never"


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    for network, lowest in _CARRIERS:
        if address in network:
            return ipaddress.IPv4Address(int(address) >> lowest & 0xFFFFFFFF)
    return None
