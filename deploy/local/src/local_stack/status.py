"""What a detached stack tells the world: `status.json`, written by its supervisor alone."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local_stack.paths import read_json, write_private
from local_stack.progress import Phase

STATUS_FILE = "status.json"


@dataclass
class ComponentStatus:
    """One component as its supervisor last saw it."""

    phase: str = Phase.WAITING
    pid: int | None = None
    restarts: int = 0


@dataclass
class Status:
    """The stack as its supervisor last saw it. Believe it only while the stack's lock is held."""

    pid: int
    phase: str = Phase.STARTING
    error: str = ""
    log_tail: str = ""
    written_at: float = field(default_factory=time.time)
    """Unix seconds."""
    components: dict[str, ComponentStatus] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Store it, whole."""
        self.written_at = time.time()
        write_private(directory / STATUS_FILE, asdict(self))

    @classmethod
    def read(cls, directory: Path) -> "Status | None":
        """The last stored status, None when there is none."""
        stored: dict[str, Any] | None = read_json(directory / STATUS_FILE)
        if stored is None:
            return None
        components = {name: ComponentStatus(**value) for name, value in stored.pop("components").items()}
        return cls(**stored, components=components)
