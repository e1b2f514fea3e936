"""Settings of sign-in, read from environment variables."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.kernel.settings import ServiceSettings
from shared.signin.site import Access, Provider


class SignInSettings(ServiceSettings):
    """Settings of a service with pages. Each service adds the names of the provider's roles."""

    public_url: str = Field("", description="where browsers reach this service, https://… unless on this machine")
    session_hours: float = Field(10, gt=0, description="a person signs in again after this")
    oidc_issuer: str | None = Field(None, description="people sign in at this OpenID provider (its issuer URL)")
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_role_claim: str = Field("roles", description="the claim that names a person's roles: a text or a list")

    @model_validator(mode="after")
    def _openid_is_whole(self) -> Self:
        if self.oidc_issuer is not None and not self.oidc_client_id:
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID")
        if self.oidc_issuer is not None and not self.public_url:
            raise ValueError("OIDC_ISSUER needs PUBLIC_URL, to which the provider sends people back")
        return self

    def access(self, roles: Mapping[str, str]) -> Access:
        """How people sign in. `roles`: as in Provider, the most powerful first."""
        if self.oidc_issuer is None:
            return Access(self.public_url, self.session_hours)
        provider = Provider(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            role_claim=self.oidc_role_claim,
            roles=roles,
        )
        return Access(self.public_url, self.session_hours, provider)
