"""The command line of the local stack."""

import argparse
from pathlib import Path

from local_stack.keeper import keep


def main() -> int:
    """Do what the command line asks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    infra = commands.add_parser("infra", help="Kafka and Postgres for as long as one process lives")
    infra.add_argument("--state", type=Path, required=True, help="the folder for data, logs and infra.json")
    infra.add_argument("--owner", type=int, required=True, help="the process id to outlive by no more than a second")
    arguments = parser.parse_args()
    return keep(arguments.state, arguments.owner)
