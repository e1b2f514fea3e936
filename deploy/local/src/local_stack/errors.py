"""What goes wrong here, said in one sentence a person can act on."""

from pathlib import Path

TAIL_LINES = 12


class LocalStackError(Exception):
    """Something the local stack needs is not there, or does not do as asked. The text is one sentence."""


class AlreadyRunningError(LocalStackError):
    """Another process runs this stack."""


class ComponentFailedError(LocalStackError):
    """One component did not start or did not stay up; says which, how, and where its log is."""

    def __init__(self, component: str, problem: str, log: Path) -> None:
        super().__init__(f"{component} {problem}; its log is {log}")
        self.component = component
        self.log = log

    @property
    def log_tail(self) -> str:
        """The last lines of the component's log, empty when it never wrote one."""
        return tail(self.log)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last `lines` lines of a log file; an empty string when there is no such file."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 32_768))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
