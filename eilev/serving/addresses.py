"""Which addresses are public: those that anybody may reach from anywhere, and only they."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's registry of special purposes; Python's own list differs from one version to the next.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' networks, and clouds' services
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's services for a virtual machine
        "169.254.0.0/16",  # this link, and the credentials that clouds give out
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocols, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: holds any IPv4 address
        "3fff::/20",
    )
)
# Outside lie ::1, private networks, links, multicast, and all forms of IPv4 (mapped, NAT64).
_PUBLIC_IPV6 = IPv6Network("2000::/3")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet.

    >>> is_public(IPv4Address("8.8.8.8")), is_public(IPv6Address("::ffff:8.8.8.8"))
    (True, False)
    """
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not any(address in network for network in _NOT_PUBLIC)
