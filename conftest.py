"""For every test of the workspace: one broker and one database server per run, however many workers."""

from local_stack.infra import own_this_run

pytest_plugins = ["shared.testing.plugin"]


def pytest_configure() -> None:
    """The controller becomes the owner of the run's servers before it starts workers, which inherit that."""
    own_this_run()
