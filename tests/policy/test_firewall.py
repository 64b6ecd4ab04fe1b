"""The second wall: with the check in the process removed, the system still refuses what is on no list."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from freehold.core.errors import BadRequest
from freehold.core.permit import Origin
from freehold.policy.firewall import rules

GOOD, BAD = Origin("http", "vendor.test", 8443), Origin("http", "elsewhere.test", 8443)


def test_the_rules_name_every_address_and_nothing_else() -> None:
    text = rules({GOOD: ["10.9.0.2", "fd00::2"], BAD: []}, "nobody", ["10.9.0.9"])
    assert "10.9.0.2 . 8443," in text and "fd00::2 . 8443," in text and "# vendor.test" in text
    assert text.count("accept") == 7 and text.rstrip().endswith("}") and "elsewhere" not in text
    order = [text.index(one) for one in ("skuid nobody jump held", "@allowed4 accept", "dport 53", "reject with")]
    assert order == sorted(order), "the refusal comes last"


@pytest.mark.parametrize(
    ("addresses", "user", "resolvers"),
    [
        ({GOOD: ["10.9.0.2 } accept"]}, "nobody", []),
        ({GOOD: ["vendor.test"]}, "nobody", []),
        ({GOOD: ["10.9.0.2"]}, "nobody accept; #", []),
        ({GOOD: ["10.9.0.2"]}, "", []),
        ({Origin("http", "x\n}", 1): ["10.9.0.2"]}, "nobody", []),
        ({GOOD: ["10.9.0.2"]}, "nobody", ["evil"]),
    ],
)
def test_nothing_but_names_and_addresses_gets_into_the_rules(addresses, user, resolvers) -> None:
    with pytest.raises(BadRequest):
        rules(addresses, user, resolvers)


CLIENT = """
import asyncio, sys
from freehold.core.egress import Egress
from freehold.core.errors import FreeholdError
from freehold.core.permit import Origin

class Anything:
    def __contains__(self, origin): return True

async def main():
    egress = Egress()
    egress.allowed = Anything()
    for host, port in (("10.9.0.2", 8443), ("10.9.0.3", 8443), ("10.9.0.2", 8444), ("fd09::2", 8443), ("fd09::3", 8443)):
        try:
            transport = await egress.connect(Origin("http", host, port), asyncio.Protocol, 3.0)
            print(host, port, "reached")
        except FreeholdError as error:
            print(host, port, "refused")

asyncio.run(main())
"""
SERVER = """
import socket, sys, time
held = []
for family, host in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET, "10.9.0.3"), (socket.AF_INET6, "fd09::2"), (socket.AF_INET6, "fd09::3")):
    for port in (8443, 8444):
        one = socket.socket(family); one.bind((host, port)); one.listen(); held.append(one)
print("ready", flush=True)
sys.stdin.read()
"""
SET_UP = """
set -e
ip link set lo up
unshare -n sleep 60 >/dev/null 2>&1 & other=$!
trap 'kill $other $server' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link add name vout type veth peer name vin netns $other
ip addr add 10.9.0.1/24 dev vout; ip -6 addr add fd09::1/64 dev vout nodad; ip link set vout up
nsenter -t $other -n sh -c 'ip addr add 10.9.0.2/24 dev vin; ip addr add 10.9.0.3/24 dev vin; ip link set vin up; ip -6 addr add fd09::2/64 dev vin nodad; ip -6 addr add fd09::3/64 dev vin nodad'
mkfifo "$1/hold"; exec 9<>"$1/hold"
nsenter -t $other -n "$2" "$1/server.py" <"$1/hold" >"$1/told" & server=$!
until grep -q ready "$1/told"; do kill -0 $server; sleep 0.01; done
[ -z "$3" ] || nft -f "$3"
"$2" -c 'import os, sys; code = open(sys.argv[1]).read(); os.setgid(65534); os.setuid(65534); exec(code)' "$1/client.py"
"""


def possible() -> bool:
    if os.geteuid() != 0 or not all(shutil.which(one) for one in ("nft", "unshare", "nsenter", "ip")):
        return False
    tried = subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "name", "v0", "type", "veth"], capture_output=True, check=False
    )
    return tried.returncode == 0


def reached(folder: Path, wall: Path | None) -> list[str]:
    command = ["unshare", "-n", "bash", "-c", SET_UP, "set-up", str(folder), sys.executable, str(wall or "")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return [line.rpartition(" ")[0] for line in done.stdout.splitlines() if line.endswith("reached")]


@pytest.mark.skipif(not possible(), reason="needs root, nft and network namespaces")
def test_the_system_refuses_what_the_process_no_longer_does(tmp_path) -> None:
    folder = tmp_path / "wall"
    for name, text in (("client.py", CLIENT), ("server.py", SERVER)):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    open_door = reached(folder, None)
    assert len(open_door) == 5, f"without the wall all five are reached: {open_door}"
    (folder / "hold").unlink()
    (folder / "told").unlink()
    wall = folder / "rules.nft"
    wall.write_text(rules({GOOD: ["10.9.0.2", "fd09::2"]}, "65534"))
    assert reached(folder, wall) == ["10.9.0.2 8443", "fd09::2 8443"]
