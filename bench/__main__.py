"""`python -m bench`: list the benchmarks or take one."""

import sys

from bench.benchmark import BenchError
from bench.names import check_name

if __name__ == "__main__":
    try:
        if sys.argv[1:] and not sys.argv[1].startswith("-"):
            check_name(sys.argv[1])
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)

    from bench.harness import BENCHMARKS, command_line  # takes seconds: every benchmark's libraries

    command_line(BENCHMARKS)(prog_name="python -m bench")
