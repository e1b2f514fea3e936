"""What a stack costs while it works: processor time, memory, transactions."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg

from local_stack.proc import children

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024


@dataclass(frozen=True)
class Reading:
    """Processor seconds by process, committed transactions by database."""

    cpu: Mapping[str, float]
    transactions: Mapping[str, int]

    def since(self, earlier: Self) -> "Reading":
        """What was spent between two readings."""
        return Reading(
            {name: spent - earlier.cpu[name] for name, spent in self.cpu.items()},
            {name: count - earlier.transactions[name] for name, count in self.transactions.items()},
        )


def cpu_seconds(pid: int) -> float:
    """User and system time of one process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def family_seconds(pid: int) -> float:
    """User and system time of a process, its children, and its children that have ended: Postgres and its backends."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS + sum(map(_of_child, children(pid)))


def _of_child(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # has just ended: counted with the next reading


def rss_mib(pid: int) -> float:
    """Resident memory of one process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / _MIB
    return 0.0


def read(pids: Mapping[str, int], database_urls: Mapping[str, str]) -> Reading:
    """A reading now. `pids` names processes; `postgres` stands for all processes of the server."""
    transactions = {}
    for name, url in database_urls.items():
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            row = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            found = row.fetchone()
            transactions[name] = int(found[0]) if found else 0
    cpu = {name: (family_seconds if name == "postgres" else cpu_seconds)(pid) for name, pid in pids.items()}
    return Reading(cpu, transactions)
