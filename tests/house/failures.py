"""A failure is told the moment it is known, also of a try that is repeated: a run that is killed later has named it."""

from __future__ import annotations

import pytest

_SAID = 1500
"""Characters of what a failure said of itself."""


class Failures:
    """Prints each failed phase of a test at the terminal: its name, where, and what it said."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.outcome == "rerun":
            place = (report.longreprtext.strip().splitlines() or [""])[-1]
            said = " / ".join(getattr(getattr(report.longrepr, "reprcrash", None), "message", "").splitlines())
            then = "" if report.failed else ", and is tried again"
            self.terminal.write_line(f"\n{report.when} of {report.nodeid} failed after {report.duration:.0f} s{then}")
            self.terminal.write_line(f"  {place}\n  {said[:_SAID]}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # the workers of a parallel run have none
        config.pluginmanager.register(Failures(terminal))
