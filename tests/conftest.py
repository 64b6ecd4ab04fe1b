"""What tests may use (fake vendors, real engines) and may not (other machines), and how properties are searched."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ("tests.engines", "tests.fakes.fixtures", "tests.house.failures", "tests.house.loopback")

# No deadlines: a busy machine is no defect. Few examples here; `make soak` looks longer.
settings.register_profile("house", deadline=None, max_examples=60)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("house")
