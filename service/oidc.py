"""Signing in with an identity provider: OpenID Connect, authorisation code with PKCE.

The provider is asked only when somebody signs in, so that the desk starts and works without it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from desk.access.federation import ProviderError, SignInUnderWay
from service.settings import Settings, SettingsError

TIMEOUT = 5.0
"""Seconds that each question to the provider may take."""
FRESH = 3_600.0
"""Seconds for which what the provider says about itself is believed."""
LEEWAY = 60
"""Seconds by which its clock may differ from ours."""
ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "EdDSA"]
"""Signatures that the provider alone can make; never `none`, never one with a shared secret."""


class Provider:
    """One identity provider, found through its issuer. Methods raise `ProviderError`."""

    def __init__(self, settings: Settings) -> None:
        self.issuer = settings.oidc_issuer
        self._client_id, self._scopes = settings.oidc_client_id, settings.oidc_scopes
        self._secret = settings.oidc_client_secret or _secret_in(settings.oidc_client_secret_file)
        self._said: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None

    def address(self, begun: SignInUnderWay, redirect_uri: str) -> str:
        """Where to send the browser."""
        endpoint = self._endpoint("authorization_endpoint")
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                endpoint, state=begun.state, nonce=begun.nonce, code_verifier=begun.verifier
            )
        return str(url)

    def claims(self, code: str, begun: SignInUnderWay, redirect_uri: str) -> dict[str, Any]:
        """What the provider vouches for, after its signature, issuer, audience, nonce and times were checked."""
        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(
                    self._endpoint("token_endpoint"),
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=begun.verifier,
                )
        except (AuthlibBaseError, httpx.HTTPError, ValueError) as error:
            raise ProviderError(f"{self.issuer} did not accept the sign-in; try again ({error})") from error
        stated = token.get("id_token") if isinstance(token, Mapping) else None
        if not isinstance(stated, str):
            raise ProviderError(f"{self.issuer} sent no ID token; have 'openid' among PARETODESK_OIDC_SCOPES")
        return self._verified(stated, begun.nonce)

    def _verified(self, stated: str, nonce: str) -> dict[str, Any]:
        try:
            try:
                token = jwt.decode(stated, self._signing_keys(), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                # the provider may have changed its keys since
                token = jwt.decode(stated, self._signing_keys(anew=True), algorithms=ALGORITHMS)
            JWTClaimsRegistry(
                leeway=LEEWAY,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(token.claims)
        except (JoseError, ValueError) as error:
            raise ProviderError(f"the ID token of {self.issuer} is not to be believed: {error}") from error
        audience, party = token.claims["aud"], token.claims.get("azp")
        if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, self._client_id):
            raise ProviderError(f"the ID token of {self.issuer} was made for another program")
        return dict(token.claims)

    def _client(self, redirect_uri: str) -> OAuth2Client:
        methods = self._configuration().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        how = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return OAuth2Client(
            client_id=self._client_id,
            client_secret=self._secret or None,
            token_endpoint_auth_method=how if self._secret else "none",
            scope=self._scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT,
        )

    def _endpoint(self, name: str) -> str:
        endpoint = self._configuration().get(name)
        if not isinstance(endpoint, str) or not endpoint.startswith(
            ("https://", f"{self.issuer.partition(':')[0]}://")
        ):
            raise ProviderError(f"{self.issuer} names no usable {name}")
        return endpoint

    def _configuration(self) -> dict[str, Any]:
        """What the provider says about itself: OpenID Connect Discovery 1.0, section 4."""
        if self._said is None or time.monotonic() - self._said[0] > FRESH:
            said = self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if said.get("issuer") != self.issuer:
                raise ProviderError(
                    f"{self.issuer} calls itself {said.get('issuer')!r}; set PARETODESK_OIDC_ISSUER to that"
                )
            self._said = (time.monotonic(), said)
        return self._said[1]

    def _signing_keys(self, *, anew: bool = False) -> KeySet:
        if self._keys is None or anew:
            found = self._fetch(self._endpoint("jwks_uri"))
            self._keys = KeySet.import_key_set({"keys": found.get("keys", [])})
        return self._keys

    def _fetch(self, url: str) -> dict[str, Any]:
        try:
            answer = httpx.get(url, timeout=TIMEOUT)
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderError(f"{self.issuer} cannot be asked at this moment: {error}") from error
        if not isinstance(found, dict):
            raise ProviderError(f"{self.issuer} answered with something else than an object at {url}")
        return found


def _secret_in(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"PARETODESK_OIDC_CLIENT_SECRET_FILE: {file} cannot be read: {error}") from error
