"""What changes something: redrive, discard, retry. First what would be done, then, if nobody objects, the same."""

import argparse
import sys
from typing import Any

from fulfil import addresses, output
from fulfil.client import MOST, OperationsClient, ServiceError
from fulfil.lists import known_id, print_unanswered

Item = dict[str, Any]
#: Services that did not answer, with what kept them.
Unanswered = dict[str, ServiceError]
_DONE = {"redrive": "redriven", "discard": "discarded", "retry": "retried"}
_FILTERS = ("topic", "key", "since", "until")


def redrive(options: argparse.Namespace) -> int:
    """`fulfil dead-letters redrive`."""
    return _decide_dead_letters(options, "redrive")


def discard(options: argparse.Namespace) -> int:
    """`fulfil dead-letters discard`."""
    return _decide_dead_letters(options, "discard")


def retry(options: argparse.Namespace) -> int:
    """`fulfil work retry`: an id does not say whose it is, so every service is asked for all of them."""
    ids = [known_id(one) for one in dict.fromkeys(options.ids)]
    body = {"ids": ids, "reason": options.reason}
    unanswered: Unanswered = {}
    with OperationsClient(addresses.find(), options.service) as operations_client:
        if _asks_for_confirmation(options):
            preview = _retry_everywhere(operations_client, {**body, "dry_run": True}, unanswered)
            if not _confirmed("retry", preview):
                print_unanswered(unanswered)
                return 1
        answers = _retry_everywhere(operations_client, {**body, "dry_run": options.dry_run}, unanswered)
    unknown_ids = [{one["id"] for one in answer["refused"] if not one["found"]} for answer in answers]
    # Whoever does not answer may have it.
    missing = [one for one in ids if all(one in unknown for unknown in unknown_ids)] if not unanswered else []
    outcomes = [one | {"refused": [r for r in one["refused"] if r["found"]]} for one in answers if one["matched"]]
    return _print_outcomes(options, outcomes, missing, unanswered, "retry")


def _decide_dead_letters(options: argparse.Namespace, word: str) -> int:
    unanswered: Unanswered = {}
    with OperationsClient(addresses.find(), options.service) as operations_client:
        bodies, missing = _bodies_by_service(options, operations_client, unanswered)
        if _asks_for_confirmation(options):
            preview = _decide_one_by_one(operations_client, word, bodies, options.limit, unanswered, dry_run=True)
            if not _confirmed(word, preview):
                print_unanswered(unanswered)
                return 1
        outcomes = _decide_one_by_one(
            operations_client, word, bodies, options.limit, unanswered, dry_run=options.dry_run
        )
    return _print_outcomes(options, outcomes, missing, unanswered, word)


def _bodies_by_service(
    options: argparse.Namespace, operations_client: OperationsClient, unanswered: Unanswered
) -> tuple[dict[str, Item], list[str]]:
    """What to ask of which service; and ids that nobody knows. Raises SettingsError.

    Whoever does not answer counts as silent only where an id was found nowhere else.
    """
    filters = {name: getattr(options, name) for name in _FILTERS if getattr(options, name)}
    if options.fault:
        filters["reason"] = options.fault
    ways = sum(map(bool, (options.ids, filters, options.all)))
    if ways != 1:
        raise addresses.SettingsError("say which letters: either ids, or filters, or --all")
    if not options.ids:
        return {name: {"reason": options.reason, "filter": filters} for name in operations_client.names}, []
    ids_by_service: dict[str, list[str]] = {}
    missing = []
    failed: Unanswered = {}
    for one in dict.fromkeys(known_id(text) for text in options.ids):
        found = operations_client.holder(one, failed)
        if found is not None:
            ids_by_service.setdefault(found[0], []).append(one)
        elif failed:
            unanswered.update(failed)
        else:
            missing.append(one)
    return {name: {"reason": options.reason, "ids": ids} for name, ids in ids_by_service.items()}, missing


def _retry_everywhere(operations_client: OperationsClient, body: Item, unanswered: Unanswered) -> list[Item]:
    answers = (
        _send_decision(operations_client, name, "work/retry", body, unanswered) for name in operations_client.names
    )
    return [one for one in answers if one is not None]


def _decide_one_by_one(
    operations_client: OperationsClient,
    word: str,
    bodies: dict[str, Item],
    most: int,
    unanswered: Unanswered,
    *,
    dry_run: bool,
) -> list[Item]:
    """Ask one service after the other, until `most` letters have been looked at."""
    outcomes = []
    for name, body in bodies.items():
        if most < 1:
            print("The limit is reached; the services after that were not asked.", file=sys.stderr)
            break
        options = {**body, "limit": min(most, MOST), "dry_run": dry_run}
        one = _send_decision(operations_client, name, f"dead-letters/{word}", options, unanswered)
        if one is not None:
            most -= len(one["taken"]) + len(one["refused"])
            outcomes.append(one)
    return outcomes


def _send_decision(
    operations_client: OperationsClient, name: str, path: str, body: Item, unanswered: Unanswered
) -> Item | None:
    """What a service answers; one that does not is added to `unanswered`, and the others go on.

    Whoever stands there already is not asked: what was not rehearsed is not done.
    """
    if name in unanswered:
        return None
    try:
        return operations_client.post(name, path, body)
    except ServiceError as error:
        unanswered[name] = error
        return None


def _asks_for_confirmation(options: argparse.Namespace) -> bool:
    """Where nobody sits at a terminal the command is meant as it stands."""
    return not (options.yes or options.dry_run) and sys.stdin.isatty() and sys.stdout.isatty()


def _confirmed(word: str, preview: list[Item]) -> bool:
    """Whether the person at the terminal means it."""
    count = sum(len(one["taken"]) for one in preview)
    if not count or input(f"{word.capitalize()} {count}? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("Nothing was changed.")
    return False


def _print_outcomes(
    options: argparse.Namespace, outcomes: list[Item], missing: list[str], unanswered: Unanswered, word: str
) -> int:
    if options.json:
        output.as_json({"outcomes": outcomes, "missing": missing})
    else:
        for one in outcomes:
            output.outcome(one, _DONE[word])
        for identity in missing:
            print(f"not found  {identity}")
        taken, refused = (sum(len(one[part]) for one in outcomes) for part in ("taken", "refused"))
        would = "would be " if options.dry_run else ""
        print(f"{taken} {would}{_DONE[word]}, {refused + len(missing)} not.")
    return int(print_unanswered(unanswered) or bool(missing) or any(one["refused"] for one in outcomes))
