"""What tells one service's pages from another's, and how people get in."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(slots=True, frozen=True)
class Site:
    """The pages of one service, all under `base`."""

    #: Begins the cookies' names.
    name: str
    #: What the pages call themselves.
    title: str
    #: The path that all pages stand under, without a slash at its end.
    base: str
    #: Where somebody who has come in goes.
    home: str
    #: People are `<kind>:<name>` in the audit trail.
    kind: str
    #: How the sign-in page speaks of whom it is for.
    people: str
    #: Said to whom the provider knows and nobody has given a role.
    no_role: str

    @property
    def sign_in(self) -> str:
        """The path of the sign-in page."""
        return f"{self.base}/sign-in"


@dataclass(slots=True, frozen=True)
class Provider:
    """An OpenID provider. `roles`: what it calls a role -> the role here; the first that somebody has counts."""

    issuer: str
    client_id: str
    client_secret: SecretStr
    role_claim: str
    roles: Mapping[str, str]


@dataclass(slots=True, frozen=True)
class Access:
    """How people get in."""

    #: Where browsers reach the service, `https://…` unless on this machine.
    public_url: str
    #: How long a session lasts.
    session_hours: float
    #: Where people sign in; None: with accounts of the service itself.
    provider: Provider | None = None
