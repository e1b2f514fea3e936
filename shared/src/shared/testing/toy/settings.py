"""Settings of the toy."""

from shared.kernel.settings import ServiceSettings


class Settings(ServiceSettings):
    """The common settings only."""
