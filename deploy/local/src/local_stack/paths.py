"""Where things live: the work tree, the download cache outside it, and private state files."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

WORK_TREE = Path(__file__).resolve().parents[4]
LOCAL = WORK_TREE / "deploy" / "local"


def cache_dir() -> Path:
    """Downloads that every checkout on this machine can share (`$XDG_CACHE_HOME` or `~/.cache`)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "esim-fulfilment"


def shops_dir() -> Path:
    """The folder with a folder for each shop (`$SHOPS_DIR` or `shops` of the work tree)."""
    return Path(os.environ.get("SHOPS_DIR") or WORK_TREE / "shops").resolve()


def shop_names(folder: Path) -> tuple[str, ...]:
    """The shops in this folder. What is in them the services themselves check."""
    return tuple(
        sorted(path.parent.name for path in folder.glob("*/shop.toml") if not path.parent.name.startswith("."))
    )


def run_dir(stack: str) -> Path:
    """Everything one stack keeps between runs: state, data, logs, traces."""
    return WORK_TREE / ".run" / stack


def write_private(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that only this user may read, whole or not at all (a reader never sees half a file)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a state file, or None when there is none (never written, or not by us)."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
