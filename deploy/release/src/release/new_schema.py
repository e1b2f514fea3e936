"""A pytest plugin for a released tree: its tests get databases as the code of now migrates them.

Loaded with `-p release.new_schema` beside the release's own `shared`, so it imports nothing of ours.
"""

import os
import subprocess
import sys

import pytest

#: PYTHONPATH of the code of now, for the processes that migrate.
NOW = "PYTHONPATH_OF_NOW"
_MIGRATED: list[str] = []
_UPGRADE = "import sys; from shared.kernel import migrations; migrations.upgrade(*sys.argv[1:])"


def pytest_configure() -> None:
    """Have databases migrated by the code of now."""
    from shared.kernel import migrations  # noqa: PLC0415 - the release's, after its conftest has been found

    def upgrade(service: str, database_url: str, revision: str = "head") -> None:
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", _UPGRADE, service, database_url, revision],
            env=os.environ | {"PYTHONPATH": os.environ[NOW]},
            check=True,
        )

        _MIGRATED.append(service)

    migrations.upgrade = upgrade


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of which services: who reads the result sees that it was the schema of now."""
    terminalreporter.write_line(f"databases of now: {' '.join(sorted(_MIGRATED))}")
