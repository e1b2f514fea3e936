"""Settings of the toy."""

from shared.kernel.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing of its own."""
