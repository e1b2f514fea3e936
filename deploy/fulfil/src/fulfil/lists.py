"""What changes nothing: lists, one letter, how services stand, refused refunds, the log."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from fulfil import addresses, output
from fulfil.client import OperationsClient, ServiceError

Item = dict[str, Any]


def dead_letters(options: argparse.Namespace) -> int:
    """`fulfil dead-letters list`."""
    filters = {name: getattr(options, name) for name in ("topic", "key", "since", "until")}
    state = None if options.state == "all" else options.state
    return _listing(
        options, "dead-letters", output.dead_letters, "received_at", state=state, reason=options.fault, **filters
    )


def dead_letter(options: argparse.Namespace) -> int:
    """`fulfil dead-letters show`."""
    unanswered: dict[str, ServiceError] = {}
    with OperationsClient(addresses.find(), options.service) as operations_client:
        found = operations_client.holder(known_id(options.id), unanswered)
    if found is None:
        if not print_unanswered(unanswered):
            print(f"fulfil: no service has a dead letter {options.id} (any more)", file=sys.stderr)
        return 1
    (output.as_json if options.json else output.dead_letter)(found[1])
    return 0


def work(options: argparse.Namespace) -> int:
    """`fulfil work list`."""
    stuck = "true" if not options.every and options.state is None else None
    filters = {"state": options.state, "kind": options.kind, "about": options.about, "stuck": stuck}
    return _listing(options, "work", output.work, "due_at", **filters)


def log(options: argparse.Namespace) -> int:
    """`fulfil log`."""
    return _listing(options, "log", output.log, "at")


def refused_refunds(options: argparse.Namespace) -> int:
    """`fulfil refunds refused`: reads the list of the operations service, which stores every order's facts."""
    with OperationsClient(addresses.find()) as operations_client:
        try:
            found = operations_client.refused_refunds()
        except ServiceError as error:
            print(f"fulfil: {error}", file=sys.stderr)
            return 1
    (output.as_json if options.json else output.refused_refunds)(found)
    return 0


def status(options: argparse.Namespace) -> int:
    """`fulfil status`: 1 where a service is not ready."""
    found: list[Item] = []
    with OperationsClient(addresses.find(), options.service) as operations_client:
        for service in operations_client.names:
            try:
                found.append(operations_client.get(service, "summary"))
            except ServiceError as error:
                found.append({"service": service, "error": str(error)})
    (output.as_json if options.json else output.status)(found)
    return int(any("error" in one or one["consumer"]["problems"] for one in found))


def _listing(
    options: argparse.Namespace, path: str, show: Callable[[list[Item]], None], order: str, **filters: Any
) -> int:
    """Items of all services; one that does not answer is named in a line of its own."""
    found: list[Item] = []
    unanswered: dict[str, ServiceError] = {}
    with OperationsClient(addresses.find(), options.service) as operations_client:
        for service in operations_client.names:
            try:
                found += operations_client.pages(service, path, options.limit, **filters)
            except ServiceError as error:
                unanswered[service] = error
    found.sort(key=lambda item: str(item[order]), reverse=path != "work")
    (output.as_json if options.json else show)(found)
    return int(print_unanswered(unanswered))


def print_unanswered(unanswered: Mapping[str, ServiceError]) -> bool:
    """Name the services that did not answer; whether there are any."""
    for error in unanswered.values():
        print(f"fulfil: {error}", file=sys.stderr)
    return bool(unanswered)


def known_id(text: str) -> str:
    """An id as the services write it. Raises SettingsError."""
    try:
        return str(UUID(text))
    except ValueError:
        raise addresses.SettingsError(f"{text!r} is no id: copy one from the list") from None
