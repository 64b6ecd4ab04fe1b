"""Loads the signed snapshots into the plane when they change. A bad one is logged and the old one kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from freehold.core.crypto import Verifier, sha256
from freehold.core.errors import FreeholdError
from freehold.core.snapshot import read_signed, read_snapshot
from freehold.gateway.armed import Guards, House, Watch, arm, named, put_on
from freehold.gateway.callers import Gate, compile_keys
from freehold.gateway.lanes import label_of, scope_of
from freehold.gateway.leases import LeaseClient
from freehold.gateway.plane import Plane
from freehold.gateway.ports import Driver
from freehold.gateway.routing.table import Health, compile_routes
from freehold.gateway.routing.types import Routes
from freehold.guard.keys import VaultKeys
from freehold.guard.types import Profile
from freehold.identity.types import Keys
from freehold.policy.permits import Mint
from freehold.policy.types import Policy

KINDS = ("policy", "routes", "keys")
"""In the order they are loaded: what may be spent and where things may go is known before who may call."""
OPTIONAL = ("workflows",)
"""What calls are served without."""


class Snapshots:
    """Watches a folder of snapshots for one plane."""

    def __init__(
        self,
        plane: Plane,
        leases: LeaseClient,
        folder: Path,
        verifier: Verifier,
        drivers: Mapping[str, Driver],
        resolve: Callable[[str], str],
        share: int,
    ) -> None:
        """`share` is how many gateways share each request and token limit."""
        self._plane = plane
        self._leases = leases
        self._folder = folder
        self._verifier = verifier
        self._drivers = drivers
        self._resolve = resolve
        self._share = share
        self._health: dict[str, Health] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._versions: dict[str, int] = {}
        self.vault_secret = VaultKeys(folder.parent / "vault", os.urandom, plane.now).secret
        self._house: House | None = None
        self._profiles: tuple[Profile, ...] = ()
        self._guards: dict[str, Watch] = {}
        """Those of them that are ready, because a route names them."""
        self._marks: dict[str, bytes] = {}
        self._armed = False
        """Has each route in force the guard it names?"""

    def check(self) -> None:
        """Load what changed since the last check: one `stat` a kind where nothing did."""
        for kind in (*KINDS, *OPTIONAL):
            try:
                stat = (self._folder / f"{kind}.snapshot").stat()
            except FileNotFoundError:
                continue
            mark = (stat.st_mtime_ns, stat.st_ino)
            if self._seen.get(kind) == mark:
                continue
            self._seen[kind] = mark
            try:
                self._load(kind)
            except (FreeholdError, OSError, ValueError) as error:
                self._plane.log.error("snapshot refused", snapshot=kind, reason=str(error))  # noqa: TRY400
                if kind == "policy" and kind not in self._versions:
                    self._close()
        self._plane.ready = all(kind in self._versions for kind in KINDS)
        if self._plane.ready and not self._armed:
            self._arm()
        now = self._plane.now()
        if self._plane.ready and not self._plane.mint.holds(now):  # another day, or a clock that was set
            self._plane.mint = self._plane.mint.renewed(now)

    def _close(self) -> None:
        """No policy was ever in force, and there is one that cannot be read: owned targets answer, and no other."""
        now = self._plane.now()
        self._plane.mint = Mint(0, Policy(closed="its policy cannot be read"), digests=self._plane.receipts, now=now)
        self._versions["policy"] = -1

    def _load(self, kind: str) -> None:
        plane = self._plane
        now = plane.now()
        if kind == "keys":
            version, keys = read_snapshot(self._folder, kind, Keys, self._verifier)
            if self._newer(kind, version):
                share = self._share * keys.machines
                lender = None if plane.lending is None else plane.lending.lender
                if lender is not None:
                    lender.known = share
                plane.callers = compile_keys(keys, plane.callers, now, share, lender)
                plane.gate = Gate(plane.callers, self._verifier)
                plane.keys_version = version
        elif kind == "routes":
            version, routes, mark = read_signed(self._folder, kind, Routes, self._verifier)
            if self._newer(kind, version):
                table = compile_routes(version, routes, self._drivers, self._resolve, self._health, now)
                plane.table = table
                plane.egress.allowed = table.origins
                self._mark(kind, mark)
                for fault in table.faults:
                    plane.log.error("left out of the routes", reason=fault)
        elif kind == "workflows":
            from freehold.gateway.assign import (  # with its numpy, where there is something to assign
                Assigner,
                Workflows,
            )

            version, workflows = read_snapshot(self._folder, kind, Workflows, self._verifier)
            if self._newer(kind, version):
                plane.assigner = Assigner(workflows)
        else:
            version, policy, mark = read_signed(self._folder, kind, Policy, self._verifier)
            guards = read_snapshot(self._folder, kind, Guards, self._verifier)[1].guards
            if self._newer(kind, version):
                plane.mint = Mint(version, policy, digests=plane.receipts, now=now)
                self._leases.budgets = {one.id: one for one in policy.budgets}
                self._leases.top_up()
                self._mark(kind, mark)
                self._profiles, self._guards = guards, {}
        self._armed = self._armed and kind not in ("policy", "routes")
        self._versions[kind] = max(version, self._versions.get(kind, -1))
        plane.log.info("snapshot loaded", snapshot=kind, version=version)

    def _mark(self, kind: str, mark: bytes) -> None:
        """What is in force by its signatures: version numbers begin anew where a database does."""
        self._marks[kind] = mark
        whole = b"".join(self._marks.get(one, b"") for one in ("policy", "routes"))
        self._plane.rules = sha256(whole) if len(self._marks) == 2 else b""

    def _arm(self) -> None:
        """Guards onto the routes. A profile is compiled once for each policy, where a route names it."""
        plane = self._plane
        wanted = [one for one in self._profiles if one.name in named(plane.table) and one.name not in self._guards]
        if wanted and plane.sealer is not None:
            if self._house is None:
                self._house = House(plane.sealer, self.vault_secret)
            self._guards |= arm(wanted, self._house)
        for fault in put_on(plane.table, self._guards):
            plane.log.error("not guarded, so not served", reason=fault)
        self._armed = True

    def _newer(self, kind: str, version: int) -> bool:
        """Versions only grow: an old snapshot put back (a revoked key revived) is refused."""
        held = self._versions.get(kind, -1)
        if version < held:
            raise ValueError(f"version {version} is older than {held}, which is in force")
        return True


def warm(plane: Plane) -> None:
    """Decide once what every key's default label may reach, so the first calls do not pay for it."""
    kinds = {(one.principal.team, one.service, one.label): one for one in plane.callers.values()}.values()
    for path in plane.table.paths.values():
        for caller in kinds:
            path.permitted(label_of(caller, path, None), scope_of(caller, path, plane.mint))
