"""pySim's ES2+ server class as a shop that is notified: `mno.py PORT STATE`; STATE lists what pySim decoded."""  # noqa: INP001 - run by path, with pySim's own interpreter

import json
import sys
from pathlib import Path
from typing import Any

from pySim.esim.es2p import Es2pApiServerHandlerMno, Es2pApiServerMno


class Mno(Es2pApiServerHandlerMno):
    """Records the notifications that it receives."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.notifications: list[dict[str, Any]] = []

    def call_handleDownloadProgressInfo(self, data: dict[str, Any]) -> tuple[dict[str, Any], None]:  # noqa: N802 - pySim's name
        """A notification."""
        self.notifications.append(data)
        self._state.write_text(json.dumps(self.notifications, default=str))
        return {}, None


if __name__ == "__main__":
    Es2pApiServerMno(int(sys.argv[1]), "127.0.0.1", Mno(Path(sys.argv[2])))
