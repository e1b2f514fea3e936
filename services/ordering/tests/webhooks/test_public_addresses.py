"""No webhook reaches an address of our own networks, however it is written."""

from ipaddress import ip_network

import pytest

from ordering.clients.public_addresses import is_in, is_public, parse

PUBLIC = (
    "8.8.8.8",
    "93.184.215.14",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "2a00:1450:4001::8",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)
PRIVATE = (
    "0.0.0.0",  # noqa: S104 - an address that is refused
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_called(text: str) -> None:
    address = parse(text)
    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize("text", PRIVATE)
def test_other_addresses_are_not(text: str) -> None:
    address = parse(text)
    assert address is not None
    assert not is_public(address)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "::1%1", "2130706433", "0x7f.1", "localhost", "", "127.0.0.1/8"])
def test_what_is_no_plain_address_is_none(text: str) -> None:
    assert parse(text) is None


def test_a_mapped_address_lies_in_the_network_of_the_address_that_it_carries() -> None:
    mapped = parse("::ffff:10.1.2.3")
    assert mapped is not None
    assert is_in(mapped, [ip_network("10.0.0.0/8")])
    assert not is_in(mapped, [ip_network("127.0.0.0/8")])
