"""`python -m bench`: list the benchmarks or take one."""

from bench.harness import BENCHMARKS, command_line

if __name__ == "__main__":
    command_line(BENCHMARKS)(prog_name="python -m bench")
