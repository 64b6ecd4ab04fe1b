"""The instance's own token for its management API: who can read its file is its owner."""

from __future__ import annotations

import secrets
from pathlib import Path

from freehold.core.crypto import write_private

TOKEN_FILE = "admin.token"  # noqa: S105  the name of the file, not its content


def admin_token(home: Path) -> str:
    """The token, made on first use; only the instance's user can read it."""
    path = home / "run" / TOKEN_FILE
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text().strip()
