"""The second wall: the operating system's own list of where the instance's user may connect, as nftables rules. Pure.

It stands also where the first wall, the egress's check in the process, fails or is removed. Names are looked up when
the rules are written, so they are to be written anew when addresses change.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from freehold.core.errors import BadRequest
from freehold.core.permit import Origin

TABLE = "freehold"
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z|[0-9]{1,10}\Z")
_NAME = re.compile(r"[A-Za-z0-9._:%-]+\Z")


def rules(addresses: Mapping[Origin, Sequence[str]], user: str, resolvers: Sequence[str] = ()) -> str:
    """A file for `nft -f`: `user` (name or number) may reach this machine, these origins, these resolvers, no more.

    `addresses` are each origin's, in text. Raises BadRequest for a user, host or address that is none.
    """
    if not _USER.match(user):
        raise BadRequest(f"{user!r} is no name of a user", param="user")
    allowed = [(_address(one), origin.port, origin.host) for origin, found in addresses.items() for one in found]
    asked = [_address(one) for one in resolvers]
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    for number in (4, 6):
        lines += _set(f"allowed{number}", number, [one for one in allowed if one[0].version == number])
    lines += [
        "  chain out {",
        "    type filter hook output priority 0; policy accept;",
        f"    meta skuid {user} jump held",  # what no socket sends, such as neighbour discovery, is nobody's
        "  }",
        "  chain held {",
        '    oif "lo" accept',
        "    ct state established,related accept",
        "    ip daddr . tcp dport @allowed4 accept",
        "    ip6 daddr . tcp dport @allowed6 accept",
    ]
    for one in asked:
        family = "ip" if one.version == 4 else "ip6"
        lines += [f"    {family} daddr {one} {protocol} dport 53 accept" for protocol in ("udp", "tcp")]
    lines += ["    counter reject with icmpx admin-prohibited", "  }", "}"]
    return "\n".join(lines) + "\n"


def _set(name: str, number: int, found: Sequence[tuple[_Address, int, str]]) -> list[str]:
    lines = [f"  set {name} {{", f"    type ipv{number}_addr . inet_service"]
    if found:
        pairs = sorted({(int(address), str(address), port) for address, port, _ in found})
        hosts = sorted({_host(host) for _, _, host in found})
        lines += [f"    # {', '.join(hosts)}", "    elements = {"]
        lines += [f"      {address} . {port}," for _, address, port in pairs]
        lines += ["    }"]
    return [*lines, "  }"]


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> _Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no address", param="address") from None


def _host(text: str) -> str:
    """A name that can stand in a comment."""
    if not _NAME.match(text):
        raise BadRequest(f"{text!r} is no host's name", param="host")
    return text
