"""What tests may use (fake vendors, real engines) and may not (other machines), and how properties are searched."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ("tests.engines", "tests.fakes.fixtures", "tests.house.failures", "tests.house.loopback")

# No deadlines: a busy machine is no defect. Few examples here, and the same each time, so that what a change broke is
# told apart from what was found by chance; `make soak` looks longer and elsewhere each time.
settings.register_profile("house", deadline=None, max_examples=60, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("house")
