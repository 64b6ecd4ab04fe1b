"""An office before a gateway before a vendor with batches: for tests of batches that are passed on."""

from __future__ import annotations

import time
from decimal import Decimal

from sqlalchemy import text

from freehold.batches.lines import Lines
from freehold.batches.passages import Passages
from freehold.batches.passed import Counter
from freehold.batches.returning import Returning
from freehold.batches.running import Runner
from freehold.core.label import parse_label
from freehold.identity.types import SERVICE
from freehold.ledger.meter import Price
from freehold.ledger.writer import keys_of, load_once
from freehold.policy.authority import Ledger, standing
from freehold.policy.leases import Lease, Return
from freehold.policy.types import Budget, Policy
from tests.batches.conftest import Office, line
from tests.fakes.fake_message_batches import FakeMessageBatches
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance

SERVICE_KEY = "fh-service-key"
BUDGET = Budget(id="team/red", limit=Decimal(1), period="total")
HALF = Price(input=Decimal(5), output=Decimal(15), source="half", as_of="2026-11-22")


class Desk:
    """The till without its socket: the authority's decisions themselves."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def hold(self, epoch, needs):
        for name, need in needs.items():
            budget, _, start = name.rpartition("@")
            self.ledger.give_back(epoch, Return(budget, int(start), Decimal(10**9)))
            if self.ledger.lease(epoch, Lease(budget, int(start), need, Decimal(0))).amount < need:
                return False
        return True


class Killed(Exception):
    pass


class House(Office):
    """An office before a gateway before a vendor; what the runner asks like any call goes to `door`, as ever."""

    def __init__(self, home, vendor, **more):
        super().__init__(home, workers=2)
        self.now = time.time()
        self.vendor = vendor
        self.counters = []
        make, model, form = p.target, "gpt-fake", "openai"
        if isinstance(vendor, FakeMessageBatches):
            make, model, form = p.claude, "claude-fake", "anthropic"
        target = make("gpt-batch", vendor.port, model=model, batches=form, batch_price=HALF, **p.LIMITS)
        table = p.routes((target,), p.route("gpt", "gpt-batch", **more.pop("route", {})))
        keys = p.keys(
            p.principal(name="a", budgets=("team/red",), **more.pop("key", {})),
            p.principal(SERVICE_KEY, name="rooms", role=SERVICE, label=parse_label("public")),
        )
        self.site = Home(home, table, keys, Policy(budgets=(BUDGET,), **more.pop("policy", {})))
        self.gateway = Instance(self.site, secret=vendor.key, desk=home / "run" / "desk.sock")
        self.till = Desk(Ledger(home, self.engine, self.site.identity, lambda: self.now))

    def runner(self):
        runner = Runner(self.cabinet, self.drawer, self.door, self.settings, lambda: self.now, self.wait)
        counter = self.counter()
        lines = Lines(self.engine, self.drawer)
        returning = Returning(self.cabinet, lines, counter, lambda: self.now)
        runner.passages = Passages(self.home / "journal", lines, returning, self.till, 5.0)
        return runner

    def counter(self, key=SERVICE_KEY):
        made = Counter(f"http://127.0.0.1:{self.gateway.port}", "", lambda: key)
        self.counters.append(made)
        return made

    def close(self):
        for one in self.counters:
            one.close()
        self.engine.dispose()

    def load(self):
        load_once(self.home, self.engine, keys_of(self.home), lambda: self.now)

    def calls(self):
        self.load()
        with self.engine.connect() as connection:
            query = "SELECT id, outcome, status, cost, input, output, target, price_source FROM calls ORDER BY id"
            return connection.execute(text(query)).mappings().all()

    def money(self):
        """Spent and held."""
        found = standing(self.engine, BUDGET, self.now)
        return found.spent, found.held

    def answered(self, batch):
        found = self.show(batch)
        good = [] if found["output_file_id"] is None else self.lines(found["output_file_id"])
        bad = [] if found["error_file_id"] is None else self.lines(found["error_file_id"])
        return found, good, bad


def chat(number, **more):
    return line(number, **{"max_tokens": 16, **more})


def sums(calls):
    return sum((Decimal(one["cost"]) for one in calls), Decimal(0)) / 10**12
