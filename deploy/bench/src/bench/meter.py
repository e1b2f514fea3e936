"""What a stack costs while it works: processor time, memory, transactions."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg

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


def rss_mib(pid: int) -> float:
    """Resident memory of one process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / _MIB
    return 0.0


def read(pids: dict[str, int], database_urls: dict[str, str]) -> Reading:
    """A reading now."""
    transactions = {}
    for name, url in database_urls.items():
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            row = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            found = row.fetchone()
            transactions[name] = int(found[0]) if found else 0
    return Reading({name: cpu_seconds(pid) for name, pid in pids.items()}, transactions)
