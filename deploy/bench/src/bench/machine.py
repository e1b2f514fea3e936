"""Which machine a figure belongs to."""

import os
import platform
import tempfile
import time
from pathlib import Path

_LOOPS, _SYNCS, _COPIES, _BLOCK = 2_000_000, 200, 20, 8192
_COPIED_MIB = 64


def describe() -> dict[str, str | int]:
    """Processor, cores, memory and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def calibrate(folder: Path) -> dict[str, float]:
    """How fast the machine is now: a fixed Python loop, fsync of one block in `folder`, copies in memory, its load."""
    began, total = time.perf_counter(), 0
    for number in range(_LOOPS):
        total += number & 7
    looped = time.perf_counter() - began
    block, copied = b"x" * _BLOCK, bytearray(_COPIED_MIB * 2**20)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        began = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(block)
            os.fdatasync(file.fileno())
        synced = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(_COPIES):
        bytes(copied)
    copying = time.perf_counter() - began
    return {
        "python_mega_loops_per_second": round(_LOOPS / looped / 1e6, 1),
        "fsyncs_per_second": round(_SYNCS / synced),
        "copied_gib_per_second": round(_COPIES * _COPIED_MIB / 1024 / copying, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
