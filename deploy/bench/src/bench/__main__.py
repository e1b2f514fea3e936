"""`python -m bench`: measures, prints a table, writes `.run/bench/latest.json`."""

import argparse
import json
from typing import Any

import uvloop

from bench.report import show
from bench.scenarios import NAMED_ONLY, SCENARIOS, run
from local_stack.paths import run_dir


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "scenarios", nargs="*", choices=[*SCENARIOS, *NAMED_ONLY, []], help=f"default: all but {NAMED_ONLY}"
    )
    parser.add_argument("--orders", type=int, default=10_000, help="orders per throughput run")
    parser.add_argument("--warm-up", type=int, default=10_000, help="orders before the first figure")
    parser.add_argument("--batch", type=int, default=400, help="orders per transaction of `costs`")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="length of an open-loop run")
    parser.add_argument("--grown", type=int, default=1_000_000, help="finished orders of `growth`")
    parser.add_argument("--backlog", type=int, default=100_000, help="paid orders that come at once in `growth`")
    parser.add_argument("--operations", action="store_true", help="let the operations component listen beside")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    try:
        uvloop.run(run(arguments.scenarios or list(SCENARIOS), arguments, results))
    finally:  # also where a later scenario has failed
        folder = run_dir("bench")
        folder.mkdir(parents=True, exist_ok=True)  # `costs` starts no stack, which would have made it
        (folder / "latest.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        show(results)
        print(f"\nWritten to {folder / 'latest.json'}")


if __name__ == "__main__":
    main()
