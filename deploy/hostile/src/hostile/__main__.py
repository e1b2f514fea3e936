"""`python -m hostile --seconds 60 --seed 1`: see README.md."""

import argparse
import asyncio
import secrets
import sys

from rich.console import Console
from rich.table import Table

from hostile.findings import Findings
from hostile.run import prepare, run
from hostile.target import of_site
from local_stack.errors import LocalStackError
from local_stack.stack import Stack

STACK = "hostile"


def main() -> int:
    """Returns the exit code: 0 without a finding, 1 with one, 2 where the stack did not start."""
    parser = argparse.ArgumentParser(prog="python -m hostile", description="Hostile input, judged.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's input; by default a new one")
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    return asyncio.run(_main(arguments.seconds, seed))


async def _main(seconds: float, seed: int) -> int:
    console = Console()
    stack = Stack(STACK, fresh=True)
    try:
        await stack.up()
    except LocalStackError as error:
        console.print(str(error))
        return 2
    try:
        console.print(f"Seed {seed}, {seconds:.0f} s")
        with console.status("") as status:
            folder = await asyncio.to_thread(prepare, stack.directory / str(seed))
            findings = await run(of_site(stack.state), seconds, seed, folder, status.update)
    finally:
        await stack.down()
    path = stack.directory / f"{seed}.json"
    findings.write(path, seed=seed, seconds=seconds)
    show(console, findings)
    console.print(f"Everything: {path}")
    return 1 if findings.kinds else 0


def show(console: Console, findings: Findings) -> None:
    """What was tried, by door; then each kind of finding with its first input."""
    table = Table("door", "tried", "answers", "findings", box=None)
    for attack in sorted({*findings.tried, *(attack for attack, _ in findings.kinds)}):
        answers = ", ".join(f"{how} x{n}" for (name, how), n in sorted(findings.answers.items()) if name == attack)
        found = sum(count for (name, _), count in findings.kinds.items() if name == attack)
        table.add_row(attack, str(findings.tried[attack]), answers, str(found or ""))
    console.print(table)
    shown = set()
    for finding in findings.kept:
        if (finding.attack, finding.kind) not in shown:
            shown.add((finding.attack, finding.kind))
            console.print(f"{finding.attack}: {finding.kind}", style="bold", markup=False)
            console.print(f"  input    {finding.input}\n  observed {finding.observed}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
