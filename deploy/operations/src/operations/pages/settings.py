"""Who may sign in at the operations page, and how."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.kernel.settings import ServiceSettings
from shared.signin.site import Access, Provider


class PageSettings(ServiceSettings):
    """The part of the settings that the page needs."""

    public_url: str = Field("", description="where browsers reach this service, https://… unless on this machine")
    session_hours: float = Field(10, gt=0, description="a person signs in again after this")
    oidc_issuer: str | None = Field(None, description="people sign in at this OpenID provider (its issuer URL)")
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_role_claim: str = Field("roles", description="the claim that names a person's roles: a text or a list")
    oidc_viewer_role: str = Field("operations-viewer", description="whoever has it may look")
    oidc_operator_role: str = Field("operations-operator", description="whoever has it may act")

    @model_validator(mode="after")
    def _openid_is_whole(self) -> Self:
        if self.oidc_issuer is not None and not self.oidc_client_id:
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID")
        if self.oidc_issuer is not None and not self.public_url:
            raise ValueError("OIDC_ISSUER needs PUBLIC_URL, to which the provider sends people back")
        return self

    def access(self) -> Access:
        """How people get in."""
        if self.oidc_issuer is None:
            return Access(self.public_url, self.session_hours)
        provider = Provider(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            role_claim=self.oidc_role_claim,
            roles={self.oidc_operator_role: "operator", self.oidc_viewer_role: "viewer"},
        )
        return Access(self.public_url, self.session_hours, provider)
