"""Which addresses are public, which are private, and which are never posted to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.alerting.addresses import reach

PRIVATE = st.sampled_from(
    [ipaddress.IPv4Network(net) for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
).flatmap(lambda net: st.ip_addresses(v=4, network=net))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("93.184.216.34", "public"),
        ("2606:2800:220:1::1", "public"),
        ("::ffff:93.184.216.34", "public"),
        ("64:ff9b::5db8:d822", "public"),
        ("127.0.0.1", "private"),
        ("10.255.255.255", "private"),
        ("172.16.0.1", "private"),
        ("172.32.0.1", "public"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("::1", "private"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("::127.0.0.1", "private"),
        ("2002:7f00:1::", "private"),
        ("64:ff9b:1::c0a8:1", "private"),
        ("169.254.169.254", "never"),
        ("::ffff:169.254.169.254", "never"),
        ("64:ff9b::a9fe:a9fe", "never"),
        ("2002:a9fe:a9fe::1", "never"),
        ("fe80::1", "never"),
        ("fe80::1%3", "never"),
        ("0.0.0.0", "never"),
        ("0.1.2.3", "never"),
        ("::", "never"),
        ("224.0.0.251", "never"),
        ("239.1.2.3", "never"),
        ("ff0e::1", "never"),
        ("240.0.0.1", "never"),
        ("255.255.255.255", "never"),
        ("192.0.2.1", "never"),
        ("198.51.100.1", "never"),
        ("2001:db8::1", "never"),
        ("2001::1", "never"),
        ("fec0::1", "private"),
        # 127.0.0.1 where RFC 6052 puts it behind a prefix of 48 bits, with a public address in the last 32
        ("64:ff9b:1:7f00:0:100:5db8:d822", "private"),
        # clouds' metadata beyond 169.254.169.254
        ("100.100.100.200", "never"),
        ("168.63.129.16", "never"),
        ("192.0.0.192", "never"),
        ("fd00:ec2::254", "never"),
        ("fd20:ce::254", "never"),
        ("::ffff:100.100.100.200", "never"),
        # outside of what IANA has given out: translated (RFC 2765), ISATAP without a prefix, segment routing
        ("::ffff:0:127.0.0.1", "never"),
        ("::5efe:127.0.0.1", "never"),
        ("5f00::1", "never"),
        ("4000::1", "never"),
    ],
)
def test_an_address_is_public_private_or_never_used(text: str, expected: str) -> None:
    assert reach(ipaddress.ip_address(text)) == expected


@given(st.ip_addresses(v=4))
def test_an_address_inside_an_ipv6_address_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    packed = int(address)
    for carrier in (
        ipaddress.IPv6Address(0xFFFF << 32 | packed),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | packed),
        ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) | packed << 80 | 7),
    ):
        assert reach(carrier) == reach(address)


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not address.is_global and getattr(address, "ipv4_mapped", None) is None:
        assert reach(address) != "public"


@given(PRIVATE)
def test_no_private_network_is_public(address: ipaddress.IPv4Address) -> None:
    assert reach(address) == "private"
