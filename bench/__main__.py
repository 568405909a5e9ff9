"""`python -m bench`: list the benchmarks or take one."""

from bench.harness import app

if __name__ == "__main__":
    app(prog_name="python -m bench")
