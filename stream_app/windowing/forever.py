"""NEVER and FOREVER: a time before, and one behind, all that an event can have. Milliseconds UTC."""

from __future__ import annotations

FOREVER = 1 << 62
"""Later than any window's end."""
NEVER = -FOREVER
"""Of what has not been yet."""
