"""The command line.

Exit codes: 0 done; 1 something was refused or not found, or a service did not answer; 2 the command or its settings
are wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fulfil import decisions, lists, shops
from fulfil.addresses import SettingsError
from fulfil.moments import line, moment

_WRONG = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.action(options))
    except SettingsError as error:
        print(f"fulfil: {error}", file=sys.stderr)
        return _WRONG
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fulfil",
        description="Dead letters, stuck tasks, refused refunds and the log of decisions, of all services as one.",
        epilog="Exit codes: 0 done; 1 something was refused, not found or did not answer; 2 wrong command or settings.",
    )
    groups = parser.add_subparsers(required=True, metavar="command")
    _decide_dead_letters(groups.add_parser("dead-letters", help="records that could not be applied"))
    _work(groups.add_parser("work", help="due work that does not go by itself"))
    refunds = groups.add_parser("refunds", help="money that goes back").add_subparsers(required=True, metavar="command")
    refused = refunds.add_parser("refused", help="what the bank refused: a person has it tried again, or pays by hand")
    _for_programs(refused, lists.refused_refunds)
    _shops(groups.add_parser("shops", help="the shops' folder"))
    status = groups.add_parser("status", help="how each service stands")
    _common(status, lists.status)
    log = groups.add_parser("log", help="what was decided, by whom and why")
    _common(log, lists.log)
    log.add_argument("--limit", type=_count, default=50, metavar="N", help="lines per service (50)")
    return parser


def _shops(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, action, text in (
        ("check", shops.check, "print every fault with its file and field, or what each shop has"),
        ("values", shops.values, "print the folder as values of the Helm charts"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("folder", nargs="?", type=Path, default=Path("shops"), help="(shops)")
        command.add_argument("--production", action="store_true", help="refuse addresses of examples too")
        command.set_defaults(action=action)


def _decide_dead_letters(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser("list", help="list them, the newest first")
    _common(listing, lists.dead_letters)
    _filters(listing)
    listing.add_argument(
        "--state", choices=["waiting", "redriven", "discarded", "all"], default="waiting", help="(waiting)"
    )
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="letters per service (50)")
    show = commands.add_parser("show", help="one in full; what is sealed stays so")
    _common(show, lists.dead_letter)
    show.add_argument("id", type=line)
    for name, action, text in (
        ("redrive", decisions.redrive, "apply them as if they came now; repeating it is safe"),
        ("discard", decisions.discard, "settle them without applying them"),
    ):
        command = commands.add_parser(name, help=text)
        _common(command, action)
        command.add_argument("ids", type=line, nargs="*", metavar="id", help="letters; or choose them by filters")
        _filters(command)
        command.add_argument("--all", action="store_true", help="every letter that waits")
        command.add_argument("--limit", type=_count, default=100, metavar="N", help="at most so many (100)")
        _decision(command)


def _work(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="command")
    listing = commands.add_parser("list", help="what has been tried or waits for a person; --every: all of it")
    _common(listing, lists.work)
    listing.add_argument("--state", choices=["parked", "unknown", "due"])
    listing.add_argument("--kind", type=line, help="of this kind only")
    listing.add_argument("--about", type=line, help="an order's id, or a part of the row's key")
    listing.add_argument("--every", action="store_true", help="also what was not tried yet: timers and deadlines")
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="rows per service (50)")
    retry = commands.add_parser("retry", help="try it now; what was parked asks the other side first")
    _common(retry, decisions.retry)
    retry.add_argument("ids", type=line, nargs="+", metavar="id")
    _decision(retry)


def _common(parser: argparse.ArgumentParser, action: object) -> None:
    parser.add_argument(
        "--service", type=line, action="append", default=[], metavar="NAME", help="only this one (repeatable)"
    )
    _for_programs(parser, action)


def _for_programs(parser: argparse.ArgumentParser, action: object) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(action=action)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--topic", type=line, help="of this topic, without prefix")
    parser.add_argument(
        "--fault", type=line, help="put aside for this: handler_failed, invalid_body, unknown_version, …"
    )
    parser.add_argument("--key", type=line, help="with exactly this key (an order's id)")
    parser.add_argument("--since", type=moment, metavar="WHEN", help="2026-11-21T09:00, or 90m, 2h, 3d ago")
    parser.add_argument("--until", type=moment, metavar="WHEN")


def _decision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", type=line, required=True, help="why; kept with your name and the time (no personal data)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask back")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
