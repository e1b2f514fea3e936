"""A real Kafka, a real Postgres and the whole product as child processes of one runner."""

import argparse
import asyncio
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local_stack import detached
from local_stack.accounts import WITH_PAGES, accounts
from local_stack.errors import LocalStackError
from local_stack.example_shop import STOREFRONT, WITH_SHOP, shop_environment
from local_stack.kafka_files import kafka_files
from local_stack.keeper import keep
from local_stack.keys import keys
from local_stack.paths import WORK_TREE, run_dir
from local_stack.progress import progress_for_terminal
from local_stack.site import Site
from local_stack.status import Status
from local_stack.supervisor import Supervisor
from local_stack.zipkin import standing
from local_stack.zipkin_files import zipkin_jar

NOT_RUNNING = 1


def main() -> int:
    """Do what the command line asks; returns the exit code."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.action(arguments))
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_stack", description=__doc__)
    commands = parser.add_subparsers(required=True)
    on_a_stack = {
        "up": (_up, "start the stack in the background and print what to open"),
        "down": (_down, "stop the stack; its data stays"),
        "status": (_status, "say what runs"),
        "supervise": (_supervise, "run the stack in this process (what `up` starts in the background)"),
    }
    for name, (action, text) in on_a_stack.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--stack", default="dev", help="a name; each stack has its own data and ports")
        command.set_defaults(action=action)
    commands.add_parser("clean", help="stop every stack and delete its data").set_defaults(action=_clean)
    fetch = commands.add_parser("fetch", help="download Kafka, so that nobody waits later")
    fetch.add_argument("--zipkin", action="store_true", help="Zipkin too, which only the page of traces needs")
    fetch.set_defaults(action=_fetch)
    people = commands.add_parser("accounts", help="who may sign in at a service's pages: accounts operations list")
    people.add_argument("--stack", default="dev")
    people.add_argument("service", choices=WITH_PAGES)
    people.add_argument("words", nargs=argparse.REMAINDER, help="add NAME --role ROLE, disable NAME, list")
    people.set_defaults(action=_accounts)
    shops_keys = commands.add_parser("keys", help="API keys of shops: keys create esimka --name mine, list, revoke")
    shops_keys.add_argument("--stack", default="dev")
    shops_keys.add_argument("words", nargs=argparse.REMAINDER, help="as of `python -m ordering keys`")
    shops_keys.set_defaults(action=lambda arguments: keys(run_dir(arguments.stack), arguments.words))
    variables = commands.add_parser("shop-environment", help="print a shop's key and addresses as lines for a shell")
    variables.add_argument("--stack", default="dev")
    variables.add_argument("shop", nargs="?", default=STOREFRONT)
    variables.set_defaults(action=_shop_environment)
    infra = commands.add_parser("infra", help="Kafka and Postgres for as long as one process lives")
    infra.add_argument("--state", type=Path, required=True, help="the folder for data, logs and infra.json")
    infra.add_argument("--owner", type=int, required=True, help="the process id to outlive by no more than a second")
    infra.set_defaults(action=lambda arguments: keep(arguments.state, arguments.owner))
    return parser


def _up(arguments: argparse.Namespace) -> int:
    directory = run_dir(arguments.stack)
    try:
        status = detached.start(arguments.stack, directory, progress_for_terminal())
    except KeyboardInterrupt:
        detached.stop(directory)
        raise
    _print_pages(directory)
    return 0 if status else 1


def _down(arguments: argparse.Namespace) -> int:
    stopped = detached.stop(run_dir(arguments.stack))
    print("Stopped; the data stays until `make clean`." if stopped else "Nothing was running.")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    directory = run_dir(arguments.stack)
    status = detached.running(directory)
    if status is None:
        print(f"The stack “{arguments.stack}” is not running in the background.")
        return NOT_RUNNING
    _print_status(status, directory)
    return 0


def _supervise(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run_supervisor(arguments.stack))


async def _run_supervisor(stack: str) -> int:
    return await Supervisor(stack).run()


def _clean(_: argparse.Namespace) -> int:
    removed = detached.clean(WORK_TREE / ".run")
    print(f"Removed the data of: {', '.join(removed)}." if removed else "There was nothing to remove.")
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    kafka_files()
    if arguments.zipkin:
        try:
            zipkin_jar()
        except LocalStackError as error:
            print(f"{error}; everything else works without it", file=sys.stderr)
    return 0


def _accounts(arguments: argparse.Namespace) -> int:
    return accounts(run_dir(arguments.stack), arguments.service, arguments.words)


def _shop_environment(arguments: argparse.Namespace) -> int:
    site = Site.load(run_dir(arguments.stack))
    if arguments.shop not in site.storefront_keys:
        known = ", ".join(site.storefront_keys) or "none yet: make up"
        raise LocalStackError(f"There is no shop “{arguments.shop}” here ({known}).")
    for name, value in shop_environment(site, arguments.shop).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _print_status(status: Status, directory: Path) -> None:
    site = Site.load(directory)
    table = Table("component", "state", "pid", "restarts", "address", box=None)
    for name, component in status.components.items():
        pid = str(component.pid or "")
        address = f"127.0.0.1:{site.ports[name]}" if name in site.ports else ""
        table.add_row(name, component.phase, pid, str(component.restarts), address)
    Console(soft_wrap=True).print(table)
    print(f"Logs are in {directory / 'logs'}.")


def _print_pages(directory: Path) -> None:
    """What a person may open, and the keys a storefront would use. Plain lines: they are copied and parsed."""
    site = Site.load(directory)
    for component in WITH_SHOP:
        pages = "  ".join(f"{title} {site.url(component.name)}{path}" for title, path in component.pages)
        print(f"{component.name:<14} {pages}")
    if words := standing(site):
        print(f"{'':<14} Zipkin is {words}; everything else works without it")
    print(f"{'accounts':<14} for the operations page: make account NAME=olga (ROLE=viewer: to look only)")
    print(f"{'kafka':<14} {site.bootstrap_servers} (users in deploy/access, passwords in {directory / 'stack.json'})")
    print(f"{'postgres':<14} 127.0.0.1:{site.ports['postgres']} (passwords in {directory / 'postgres/postgres.json'})")
    print("development keys")
    for holder, key in {**site.storefront_keys, **site.agent_keys, **site.operations_keys}.items():
        print(f"  {holder:<12} {key}")
