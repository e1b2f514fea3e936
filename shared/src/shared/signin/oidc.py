"""Sign-in by OpenID Connect: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0 section 3.1)."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import quote

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from shared.database import Tx
from shared.kernel.outbound import read_json
from shared.signin.secrets import digest
from shared.signin.site import Provider, Site
from shared.signin.tables import TABLES
from shared.telemetry.logging import get_logger
from shared.telemetry.tracing import Tracing

log = get_logger(__name__)
LASTS = timedelta(minutes=10)
_LONGEST_NAME = 200
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
_TAKE = "DELETE FROM oidc_sign_ins WHERE state_hash = :state AND expires_at > :now RETURNING nonce, verifier"


class NotSignedInError(Exception):
    """The sign-in failed at the provider or in its answer. The message is for the person.

    `name`: the person whom the provider confirms and who has no access here.
    """

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


@dataclass(slots=True, frozen=True)
class Person:
    """The person whom the provider confirms, and their role here."""

    name: str
    role: str


@dataclass(slots=True, frozen=True)
class Begun:
    """A sign-in that has begun and has not returned from the provider."""

    url: str
    state: str
    nonce: str
    verifier: str


async def keep(tx: Tx, begun: Begun) -> None:
    """Store it until the browser returns."""
    row = {
        "state_hash": digest(begun.state),
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "expires_at": tx.now + LASTS,
    }
    await tx.insert(TABLES["oidc_sign_ins"], [row])


async def take(tx: Tx, state: str) -> Begun:
    """Take out what was stored; it works once. Raises NotSignedInError."""
    row = (await tx.execute(_TAKE, state=digest(state), now=tx.now)).one_or_none()
    if row is None:
        raise NotSignedInError("This sign-in is too old or was used already. Please begin again.")
    return Begun("", state, row.nonce, row.verifier)


class OpenId:
    """One provider. Its metadata and keys are read at each sign-in: a new key needs no restart."""

    def __init__(
        self, provider: Provider, site: Site, tracing: Tracing, http: httpx.AsyncClient, redirect_uri: str
    ) -> None:
        self._provider = provider
        self._no_role = site.no_role
        self._tracing = tracing
        self._http = http
        self.redirect_uri = redirect_uri

    async def begin(self, trace: str | None) -> Begun:
        """Where to send the browser, and what to store until it returns. Raises NotSignedInError."""
        metadata = await self._metadata(trace)
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (24, 24, 48))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        parameters = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = httpx.URL(metadata["authorization_endpoint"]).copy_merge_params(parameters)
        return Begun(str(url), state, nonce, verifier)

    async def finish(self, begun: Begun, code: str, now: datetime, trace: str | None) -> Person:
        """Who came back from the provider. Raises NotSignedInError."""
        try:
            metadata = await self._metadata(trace)
            token = await self._exchange(metadata["token_endpoint"], code, begun.verifier, trace)
            keys = KeySet.import_key_set(cast("KeySetSerialization", await self._get(metadata["jwks_uri"], trace)))
            claims = jwt.decode(token["id_token"], keys, algorithms=_ALGORITHMS).claims
            self._check(claims, metadata["issuer"], begun.nonce, now.timestamp())
        except (JoseError, httpx.HTTPError, AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("oidc_refused", error=error)
            raise NotSignedInError("The sign-in provider did not confirm who you are. Please try again.") from error
        return self._person(claims)

    def _check(self, claims: Mapping[str, Any], issuer: str, nonce: str, now: float) -> None:
        """Raises JoseError."""
        needs = {
            "iss": {"essential": True, "value": issuer},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": self._provider.client_id},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
        }
        registry = jwt.JWTClaimsRegistry(now=round(now), leeway=60, **needs)  # type: ignore[arg-type] # plain dicts are meant
        registry.validate(dict(claims))

    def _person(self, claims: Mapping[str, Any]) -> Person:
        offered = claims.get("preferred_username") or claims["sub"]
        if not isinstance(offered, str) or not offered.isprintable() or len(offered) > _LONGEST_NAME:
            raise NotSignedInError("The sign-in provider names you in a way that cannot be shown here.", str(offered))
        roles = _roles(claims.get(self._provider.role_claim))
        for theirs, ours in self._provider.roles.items():
            if theirs in roles:
                return Person(offered, ours)
        raise NotSignedInError(self._no_role, offered)

    async def _metadata(self, trace: str | None) -> dict[str, Any]:
        issuer = self._provider.issuer.rstrip("/")
        try:
            metadata = await self._get(f"{issuer}/.well-known/openid-configuration", trace)
            for endpoint in _ENDPOINTS:
                httpx.URL(metadata[endpoint])
        except (httpx.HTTPError, httpx.InvalidURL, KeyError, TypeError, ValueError) as error:
            raise NotSignedInError("The sign-in provider does not answer. Please try again in a minute.") from error
        if str(metadata.get("issuer", "")).rstrip("/") != issuer:
            raise NotSignedInError("The sign-in provider calls itself by another name than the one configured.")
        return metadata

    async def _get(self, url: str, trace: str | None) -> dict[str, Any]:
        with self._tracing.call("oidc", "get", trace) as call:
            call.asks("GET", url)
            answer = await self._http.get(url, headers=_headers(call.traceparent))
            call.answered(answer.status_code)
            answer.raise_for_status()
            return _json_object(answer)

    async def _exchange(self, url: str, code: str, verifier: str, trace: str | None) -> dict[str, Any]:
        """Exchange the code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        provider = self._provider
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": provider.client_id,
            "code_verifier": verifier,
        }
        secret = provider.client_secret.get_secret_value()
        auth = httpx.BasicAuth(quote(provider.client_id), quote(secret)) if secret else httpx.Auth()
        with self._tracing.call("oidc", "token", trace) as call:
            call.asks("POST", url)
            answer = await self._http.post(url, data=form, auth=auth, headers=_headers(call.traceparent))
            call.answered(answer.status_code)
            answer.raise_for_status()
            return _json_object(answer)


def _roles(claim: object) -> frozenset[str]:
    """The roles of the claim: words of a text, or a list of texts. Any other value names no role."""
    if isinstance(claim, str):
        return frozenset(claim.split())
    return frozenset(item for item in claim if isinstance(item, str)) if isinstance(claim, list) else frozenset()


def _json_object(response: httpx.Response) -> dict[str, Any]:
    """Raises ValueError where the body is not a JSON object."""
    body = read_json(response)
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the provider's fault, not the caller's
    return body


def _headers(traceparent: str | None) -> dict[str, str]:
    return {"Accept": "application/json"} | ({} if traceparent is None else {"traceparent": traceparent})
