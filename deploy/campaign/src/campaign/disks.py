"""Small file systems for Kafka and Postgres alone, so that their disks can be full. They live in memory.

They are mounted in a mount namespace of the campaign's own (`unshare`), so they are gone with its last process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_INSIDE = "CAMPAIGN_MOUNTS"
#: Three brokers have three copies of everything.
_SIZES = {"kafka": "1024m", "postgres": "1024m"}
_SHARED_TMP = "/var/tmp"  # noqa: S108 - a folder of our own in it, for the user that serves root


def enter(arguments: Sequence[str]) -> None:
    """Go on in a mount namespace of our own, where that is allowed; else return."""
    unshare = shutil.which("unshare")
    if os.environ.get(_INSIDE) or unshare is None or os.getuid() != 0:
        return
    inside = [unshare, "--mount", "--propagation", "private"]
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode == 0:  # noqa: S603 - found above
        os.environ[_INSIDE] = "own"
        os.execv(unshare, [*inside, sys.executable, "-m", "campaign", *arguments])  # noqa: S606 - as above


def mount(directory: Path) -> dict[str, Path]:
    """The file systems by their server; none where they cannot be mounted."""
    if os.environ.get(_INSIDE) != "own":
        return {}
    beneath = Path(tempfile.mkdtemp(dir=_SHARED_TMP, prefix="esim-campaign-"))
    disks = {"kafka": directory / "kafka", "postgres": beneath}
    for server, place in disks.items():
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZES[server]},mode=755", "tmpfs", str(place)]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:  # noqa: S603 - constant words
            return {}
    return disks
