"""`python -m contracts DIRECTORY` writes the JSON Schema of each message into a directory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from contracts.json_schema import json_schemas


def main(directory: Path) -> None:
    """Write one `<message>.schema.json` per message."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, schema in json_schemas().items():
        (directory / f"{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m contracts DIRECTORY")
    try:
        main(Path(sys.argv[1]))
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: cannot be written: {error.strerror}")
