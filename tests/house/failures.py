"""A failure is told the moment it is known: a run that is killed later has named it all the same."""

from __future__ import annotations

import pytest


class Failures:
    """Prints each failed phase of a test, its name and its last line, at the terminal."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            last = (report.longreprtext.strip().splitlines() or [""])[-1]
            self.terminal.write_line(f"\n{report.when} of {report.nodeid} failed after {report.duration:.0f} s: {last}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # the workers of a parallel run have none
        config.pluginmanager.register(Failures(terminal))
