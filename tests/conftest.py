"""What every test may use: the fake vendors."""

from __future__ import annotations

pytest_plugins = ("tests.fakes.fixtures",)
