"""The kinds of file that a replay reads, by the end of the name."""

from __future__ import annotations

LINES = (".jsonl", ".ndjson", ".json")
"""An event in each line."""
TABLES = (".csv", ".csv.gz", ".parquet")
"""An event in each row."""
