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
        "64:ff9b:1::/48",  # RFC 8215, NAT64 of one's own network, where in it the IPv4 address lies is its own matter
    )
)
# What Python takes for public or what lies within _PRIVATE, and where clouds hand out credentials all the same
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in (
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure
        "192.0.0.0/24",  # RFC 6890, protocol assignments; Oracle
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
    )
)
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that IANA has given out as public so far. Source: IANA, "IPv6 Global Unicast Address Assignments"."""
# IPv6 addresses that carry an IPv4 address, to which a gateway would pass the packets on: network, lowest bit of the 32
_CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (ipaddress.IPv6Network("::/96"), 0),  # compatible, deprecated
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)


def reach(address: Address) -> Reach:
    """public: anybody's. private: this machine's or this network's. never: nobody receives alerts there.

    never: link-local, clouds' metadata, multicast, unspecified, reserved and documentation addresses.

    >>> [reach(ipaddress.ip_address(text)) for text in ("93.184.216.34", "10.1.2.3", "169.254.169.254")]
    ['public', 'private', 'never']
    >>> [reach(ipaddress.ip_address(text)) for text in ("::ffff:10.1.2.3", "64:ff9b::7f00:1", "fd00::1", "::")]
    ['private', 'private', 'private', 'never']
    """
    if any(address in network for network in _NEVER):
        return "never"
    if any(address in network for network in _PRIVATE):
        return "private"
    if isinstance(address, ipaddress.IPv6Address):
        if (carried := _carried(address)) is not None:
            return reach(carried)
        if address not in _UNICAST:
            return "never"
    return "public" if address.is_global and not address.is_multicast else "never"


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    for network, lowest in _CARRIERS:
        if address in network:
            return ipaddress.IPv4Address(int(address) >> lowest & 0xFFFFFFFF)
    return None
