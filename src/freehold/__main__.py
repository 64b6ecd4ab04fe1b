"""The `freehold` command. `--version` answers before anything is imported; errors end in a fix and an exit code."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line: 0 done, 1 failed, 2 usage, 3 changes pending, 4 gate not passed."""
    if sys.argv[1:] == ["--version"]:
        from freehold import __version__

        sys.stdout.write(f"freehold {__version__}\n")
        return 0
    from freehold.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
