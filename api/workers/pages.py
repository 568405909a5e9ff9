"""Pages of several workers as one, in Prometheus' text format: each sample gets the label worker="NN". Pure.

Merged as text: whatever series a worker has are there, with the buckets and labels that it gave them.
"""

from __future__ import annotations

from collections.abc import Mapping


def merge(pages: Mapping[str, bytes]) -> bytes:
    """pages: by the worker's name. A family is described once and has the samples of every worker, in their order.

    >>> print(merge({"00": b"# HELP a A.\\n# TYPE a gauge\\na 1.0\\n", "01": b'a{b="c"} 2.0\\n'}).decode(), end="")
    # HELP a A.
    # TYPE a gauge
    a{worker="00"} 1.0
    a{worker="01",b="c"} 2.0
    """
    described: dict[bytes, list[bytes]] = {}
    samples: dict[bytes, list[bytes]] = {}
    for name, page in pages.items():
        label = b'worker="%b"' % name.encode()
        family = b""
        for line in page.splitlines():
            if line.startswith((b"# HELP ", b"# TYPE ")):
                family = line.split(b" ", 3)[2]
                lines = described.setdefault(family, [])
                if line not in lines:
                    lines.append(line)
            elif line and not line.startswith(b"#"):
                sample = _labelled(line, label)
                samples.setdefault(family or _name(line), []).append(sample)
    families = dict.fromkeys([*described, *samples])
    found = [line for family in families for line in (*described.get(family, ()), *samples.get(family, ()))]
    return b"".join(line + b"\n" for line in found)


def _name(line: bytes) -> bytes:
    """Of a sample: what stands before its labels or its value."""
    return line.split(b"{", 1)[0].split(b" ", 1)[0]


def _labelled(line: bytes, label: bytes) -> bytes:
    name = _name(line)
    rest = line[len(name) :]
    if rest.startswith(b"{"):
        return b"%b{%b,%b" % (name, label, rest[1:])
    return b"%b{%b}%b" % (name, label, rest)
