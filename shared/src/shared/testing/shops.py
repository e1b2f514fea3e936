"""The shops that the repository brings, for tests."""

import os
import shutil
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[4] / "shops"


def copied(folder: Path) -> Path:
    """A copy of them that a test may change."""
    shutil.copytree(EXAMPLES, folder)
    return folder


def with_deadline(shops: Path, slug: str, name: str, value: int) -> Path:
    """Give a shop of this folder, which has no deadlines of its own, one of `[deadlines]`. Returns the folder."""
    change(shops / slug / "shop.toml", "\n[", f"\n[deadlines]\n{name} = {value}\n\n[")
    return shops


def change(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence in a file, which must be there."""
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"{path.name} does not contain {old!r}")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    stamp = path.stat().st_mtime_ns + 1_000_000  # a second write within one tick of a coarse clock counts too
    os.utime(path, ns=(stamp, stamp))
