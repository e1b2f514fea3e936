"""Describes the pages of one service, and how people sign in to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(slots=True, frozen=True)
class Site:
    """The pages of one service, all under `base`."""

    #: Prefix of the cookies' names.
    name: str
    #: The pages' title.
    title: str
    #: The path prefix of all pages, without a slash at its end.
    base: str
    #: The page after sign-in.
    home: str
    #: The audit trail names people `<kind>:<name>`.
    kind: str
    #: Whom the sign-in page is for, in its text.
    people: str
    #: Message for a person whom the provider confirms and who has no role.
    no_role: str

    @property
    def sign_in(self) -> str:
        """The path of the sign-in page."""
        return f"{self.base}/sign-in"


@dataclass(slots=True, frozen=True)
class Provider:
    """An OpenID provider. `roles`: its name of a role -> the role here; the first role that a person has counts."""

    issuer: str
    client_id: str
    client_secret: SecretStr
    role_claim: str
    roles: Mapping[str, str]


@dataclass(slots=True, frozen=True)
class Access:
    """How people sign in."""

    #: The address at which browsers reach the service, `https://…` unless on the same machine.
    public_url: str
    #: How long a session lasts.
    session_hours: float
    #: The OpenID provider; None: people use accounts of the service itself.
    provider: Provider | None = None
