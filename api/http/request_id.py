"""Fresh request ids, for answers to which nobody gave one."""

from __future__ import annotations

import secrets


def fresh_id() -> str:
    """32 hexadecimal digits, unique for all purposes."""
    return secrets.token_hex(16)
