import pytest

from lib.web.networks import UNKNOWN, Network, network_of


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("64:ff9b::c000:201", "192.0.2.1"),
        ("::ffff:0:192.0.2.1", "192.0.2.1"),
        ("2002:c000:0201::1", "192.0.2.1"),
        ("2002:c000:0201:7:8:9:a:b", "192.0.2.1"),
    ],
)
def test_an_ipv4_address_is_its_own_network_however_it_is_written(address: str, name: str) -> None:
    assert network_of(address) == Network(name=name)


@pytest.mark.parametrize(
    "address",
    [
        "2001:db8:1:2::1",
        "2001:DB8:1:2:ffff::",
        "[2001:db8:1:2::1]",
        "[2001:db8:1:2::1]:443",
        "2001:db8:1:2::1%eth0",
    ],
)
def test_an_ipv6_address_stands_for_its_link_and_its_site(address: str) -> None:
    assert network_of(address) == Network(name="2001:db8:1:2::/64", wider="2001:db8:1::/48")


@pytest.mark.parametrize(
    "address",
    ["", "unknown", "_hidden", "192.0.2", "192.0.2.1:", "192.0.2.1:port", "[192.0.2.1", "1:2:3",
     "[]", "٣.1.1.1", "192.0.2.1, 192.0.2.2"],
)  # fmt: skip
def test_what_is_no_address_is_one_network_of_its_own(address: str) -> None:
    assert network_of(address) == Network(name=UNKNOWN)
