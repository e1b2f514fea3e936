"""`python -m campaign --seconds 600 --seed 1`: see README.md."""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from campaign import disks, report
from campaign.run import Plan, Result, run
from campaign.schedule import OF_A_CLUSTER, OF_A_STANDBY, schedule
from campaign.stack import CampaignStack
from local_stack.errors import LocalStackError
from local_stack.paths import run_dir

STACK = "campaign"
_LINE_SECONDS, _LOG_COLUMNS = 10.0, 160


def main() -> int:
    """Returns the exit code: 0 without a violation, 1 with one, 2 where the stack did not start."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description="Orders under faults, judged.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's schedule; by default a new one")
    parser.add_argument("--rate", type=float, default=1.0, help="buyers a second")
    parser.add_argument("--quiet-seconds", type=float, default=300, help="how long all may take to end afterwards")
    parser.add_argument("--directory", type=Path, default=run_dir(STACK), help="where all of it is kept")
    parser.add_argument("--only", action="append", default=[], help="kinds of faults, as schedule.py names them")
    parser.add_argument("--apart", type=float, default=0, help="seconds between faults, which come singly then")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--standby", action="store_true", help="the database server has a synchronous standby")
    arguments = parser.parse_args()
    disks.enter(sys.argv[1:])
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    more = (*(OF_A_CLUSTER if arguments.brokers > 1 else ()), *(OF_A_STANDBY if arguments.standby else ()))
    faults = schedule(seed, arguments.seconds, arguments.only, arguments.apart, more=more)
    plan = Plan(seed, arguments.seconds, faults, arguments.rate, arguments.quiet_seconds)
    return asyncio.run(
        _main(plan, arguments.directory.resolve(), cluster=arguments.brokers > 1, standby=arguments.standby)
    )


async def _main(plan: Plan, directory: Path, *, cluster: bool, standby: bool) -> int:
    console = Console(width=None if sys.stdout.isatty() else _LOG_COLUMNS)
    mounted = disks.mount(directory)
    beneath = mounted.get("postgres")
    stack = CampaignStack(STACK, directory=directory, beneath=beneath, cluster=cluster, standby=standby)
    try:
        await stack.__aenter__()
    except LocalStackError as error:
        console.print(str(error))
        return 2
    try:
        console.print(f"Seed {plan.seed}, {plan.seconds:.0f} s, {len(plan.faults)} faults")
        with console.status("") as status:
            result = await run(stack, mounted, plan, status.update if console.is_terminal else _now_and_then())
    finally:
        await stack.down()
    path = directory / f"{plan.seed}.json"
    report.write(path, result.body())
    show(console, result)
    console.print(f"Everything: {path}")
    return 1 if result.violations else 0


def _now_and_then() -> Callable[[str], None]:
    """Progress for a log: a line every ten seconds."""
    last = time.monotonic()

    def tell(line: str) -> None:
        nonlocal last
        if time.monotonic() > last + _LINE_SECONDS:
            last = time.monotonic()
            print(line, flush=True)

    return tell


def show(console: Console, result: Result) -> None:
    """The table by fault class, then each violation."""
    columns = ("class", "injected", "kills", "exposed", "p50 s", "p99 s", "max s", "ready p99 s", "violations")
    table = Table(*columns, box=None)
    for row in report.as_json(result.table):
        times = [row["recovery"][name] for name in ("p50", "p99", "max")] + [row["ready"]["p99"]]
        shown = ["" if value is None else f"{value:.1f}" for value in times]
        name = f"{row['number']:>2} {row['name']}" + (f" ({row['not_possible']})" if row["not_possible"] else "")
        table.add_row(
            name, str(row["injected"]), str(row["kills"]), str(row["exposed"]), *shown, str(row["violations"])
        )
    console.print(table)
    body = result.body()
    console.print(
        f"{body['orders']} orders, {body['paid']} paid, {body['kills']} kills, quiet after "
        f"{body['quiet_after_seconds']} s, {body['mails_twice']} mails came twice, "
        f"{len(body['gave_up'])} buyers gave up, {len(result.violations)} violations"
    )
    alone = body["after_kills_alone"]
    console.print(
        f"{alone['kills']} kills met no other fault: {alone['exposed']} orders under way, p50 {alone['p50']} s, "
        f"p99 {alone['p99']} s, max {alone['max']} s; orders that met no fault ended {body['without_fault']['p99']} s "
        "after their payment (p99)"
    )
    for violation in result.violations:
        console.print(f"{violation.invariant} {violation.order}: {violation.text[:400]}", markup=False, style="bold")


if __name__ == "__main__":
    sys.exit(main())
