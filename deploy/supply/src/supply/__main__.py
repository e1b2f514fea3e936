"""`python -m supply`: see README.md."""

import argparse
import datetime as dt
import os
import sys

from supply import bill, images, licences, locking, locks, policy, vulnerabilities
from supply.graph import NotInstalledError
from supply.licences import UnknownLicenceError

WRONG, UNREACHABLE = 1, 2


def main() -> int:
    """Returns the exit code: 0 all is well, 1 something is wrong, 2 nothing is wrong but OSV could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m supply", description="What our images are made of.")
    commands = parser.add_subparsers(dest="command", required=True)
    audit = commands.add_parser("audit", help="locks, licences, bills of materials, known vulnerabilities")
    audit.add_argument("--offline", action="store_true", help="do not ask for known vulnerabilities, and say so")
    audit.add_argument("--osv-url", default=os.environ.get("OSV_URL"), help="ask there instead of at api.osv.dev")
    commands.add_parser("sbom", help="write each image's bill of materials")
    lock = commands.add_parser("lock", help="write the lock files; present versions stay")
    lock.add_argument("--upgrade", metavar="NAME", action="append", default=[], help="not of this one (repeatable)")
    lock.add_argument("--upgrade-all", action="store_true", help="the newest version of everything")
    arguments = parser.parse_args()
    try:
        if arguments.command == "lock":
            return _write_locks(arguments)
        return _write_bills() if arguments.command == "sbom" else _audit(arguments)
    except (UnknownLicenceError, NotInstalledError, locks.LockError) as error:
        print(f"Wrong: {error}", file=sys.stderr)
        return WRONG


def _write_locks(arguments: argparse.Namespace) -> int:
    for path in locking.write(arguments.upgrade, everything=arguments.upgrade_all):
        print(f"{path.relative_to(images.WORK_TREE)}")
    return 0


def _write_bills() -> int:
    licence_policy = policy.load()
    for image in images.find():
        bill.write(image, licence_policy)
        print(f"{image.bill.relative_to(images.WORK_TREE)}")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    licence_policy, ours, today = policy.load(), images.find(), dt.datetime.now(tz=dt.UTC).date()
    if wrong := _print_problems("Locks", locks.problems()):
        return wrong  # what follows reads them
    shipped = locks.shipped(ours)
    found = _print_problems(f"Licences of {len(shipped)} packages", licences.problems(shipped, licence_policy))
    # Bills name licences: where one is unknown there is no bill to compare with.
    found = found or _print_problems(f"Bills of materials of {len(ours)} images", bill.problems(ours, licence_policy))
    found = _print_problems("Accepted vulnerabilities", vulnerabilities.expired(licence_policy, today)) or found
    if loose := sorted(name for name in images.others() if "@sha256:" not in name):
        print(f"Note: by tag, not by digest: {', '.join(loose)}")
    if arguments.offline:
        print("NOT ASKED: known vulnerabilities (--offline)")
        return found
    try:
        known = vulnerabilities.ask(images.WORK_TREE / "requirements.lock", url=arguments.osv_url)
    except vulnerabilities.UnreachableError as error:
        print(f"NOT ASKED: known vulnerabilities. This says nothing about them: {error}", file=sys.stderr)
        print(
            "Run it where api.osv.dev can be reached, or give --osv-url, or --offline to leave it out.", file=sys.stderr
        )
        return found or UNREACHABLE
    return (
        _print_problems("Known vulnerabilities", vulnerabilities.problems(known, licence_policy, shipped, today))
        or found
    )


def _print_problems(what: str, wrong: list[str]) -> int:
    print(f"{what}: {'well' if not wrong else f'{len(wrong)} wrong'}")
    for each in wrong:
        print(f"  {each}", file=sys.stderr)
    return WRONG if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
