"""A file that the user asked for with --out."""

from __future__ import annotations

from pathlib import Path

from training.errors import DataError


def write_file(out: Path, content: bytes) -> str:
    """Write it, with the folders above it; a line that says where. Raises DataError."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(content)
    except OSError as error:
        raise DataError(f"--out {out}: cannot be written: {error.strerror}") from error
    return f"written     {out}"
