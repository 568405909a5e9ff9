"""Replay: past events counted, compared and judged again, without touching live state. See docs/replay.md."""
