"""Sign-in by the house's own OpenID Connect provider: authorisation code with PKCE (RFC 7636), state, nonce, and a signed ID token, by Authlib.

The provider says who somebody is; whether that somebody works here, two persons decided (`subject` of an account). Refused: any issuer but the one in
the settings, any audience but us, a nonce or state that we did not give this browser, and tokens that are unsigned or signed by a shared secret.
"""

from __future__ import annotations

import json
import secrets
import threading
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from cryptography.fernet import Fernet, InvalidToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from authority.desk.desk import Desk
from authority.desk.errors import DeskError, Forbidden

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
TIMEOUT = 5.0
GOOD_SECONDS = 600
"""How long somebody may take at the provider."""
LEEWAY = 60
"""Seconds that its clock may differ."""
KEEPS_SECONDS = 3600
"""How long what the provider said of itself is believed."""
BACK = "sign-in/house/back"
AWAY = "the provider cannot be reached, or answers what cannot be read; try again, or sign in by password"


class Begun(NamedTuple):
    """Somebody is sent to the provider."""

    url: str
    sealed: str
    """For a cookie: state, nonce and verifier, which only this process can open."""


class Provider:
    """One provider. Threads share it."""

    def __init__(self, desk: Desk) -> None:
        """Raises DeskError for settings that are none."""
        settings = desk.settings.sign_in
        parts = urlsplit(settings.issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise DeskError(f"desk.sign_in.issuer: {settings.issuer} is not https")
        self._issuer, self._client_id = settings.issuer, settings.client_id
        path = desk.base / settings.client_secret_file if settings.client_secret_file else None
        try:
            self._secret = path.read_text(encoding="utf-8").splitlines()[0].strip() if path else None
        except (OSError, IndexError) as error:
            raise DeskError(f"desk.sign_in.client_secret_file: {path} cannot be read ({error})") from None
        self._back = desk.settings.url.rstrip("/") + f"/{BACK}"
        self._seal = Fernet(Fernet.generate_key())
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: dict[str, Any] = {}
        self._until = 0

    def begin(self, next_page: str, now: int) -> Begun:
        """Where to send the browser. Raises DeskError when the provider is away."""
        with self._client() as client:
            metadata = self._known(client, now)
            verifier, nonce = secrets.token_urlsafe(36), secrets.token_urlsafe(36)
            url, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
        said = {"state": state, "nonce": nonce, "verifier": verifier, "next": next_page}
        return Begun(url, self._seal.encrypt_at_time(json.dumps(said).encode(), now).decode())

    def finish(self, sealed: str, query: dict[str, str], now: int) -> tuple[str, str]:
        """The subject whom the provider vouches for, and the page to go on to. Raises Forbidden, DeskError."""
        try:
            said = json.loads(self._seal.decrypt_at_time(sealed.encode(), GOOD_SECONDS, now))
        except InvalidToken:
            raise Forbidden("this sign-in was not begun here, or too long ago; begin again") from None
        if not query.get("state") or query["state"] != said["state"]:
            raise Forbidden("this sign-in was not begun here, or too long ago; begin again")
        # RFC 9207: an answer meant for another client's provider.
        if query.get("iss", self._issuer) != self._issuer:
            raise Forbidden("another provider answered; begin again")
        if "code" not in query:
            raise Forbidden("the provider did not sign you in")
        with self._client() as client:
            metadata = self._known(client, now)
            try:
                token = client.fetch_token(metadata["token_endpoint"], code=query["code"], code_verifier=said["verifier"])
            except AuthlibBaseError:
                raise Forbidden("the provider did not sign you in") from None
            except Exception as error:
                raise DeskError(AWAY) from error
            claims = self._claims(client, token, said["nonce"], now)
        return str(claims["sub"]), str(said["next"])

    def _claims(self, client: OAuth2Client, token: Any, nonce: str, now: int) -> dict[str, Any]:
        """The ID token's claims. OpenID Connect Core section 3.1.3.7."""
        written = token.get("id_token") if isinstance(token, dict) else None
        if not isinstance(written, str):
            raise Forbidden("the provider gave no proof of who you are")
        try:
            try:
                decoded = self._decode(written)
            except InvalidKeyIdError:
                self._keys = self._fetch(client, self._metadata["jwks_uri"])
                decoded = self._decode(written)
            parameters = {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")}
            options: Any = {"iss": {"essential": True, "value": self._issuer}, "aud": {"essential": True, "value": self._client_id}}
            claims = CodeIDToken(decoded.claims, decoded.header, options, parameters)
            claims.validate(now=now, leeway=LEEWAY)
            audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
            if claims["iss"] != self._issuer or self._client_id not in audience or claims.get("nonce") != nonce:
                raise Forbidden("the provider's proof is not for this desk, or not for this sign-in")
        except (JoseError, AuthlibBaseError, ValueError, TypeError, KeyError) as error:
            raise Forbidden(f"the provider's proof does not hold ({type(error).__name__}); begin again") from None
        return dict(claims)

    def _decode(self, written: str) -> jwt.Token:
        keys = KeySet.import_key_set(self._keys)  # type: ignore[arg-type]
        return jwt.decode(written, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))

    def _known(self, client: OAuth2Client, now: int) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery section 4)."""
        with self._lock:
            if now >= self._until:
                found = self._fetch(client, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
                if found.get("issuer") != self._issuer or not all(
                    isinstance(found.get(name), str) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
                ):
                    raise DeskError(AWAY)
                keys = self._fetch(client, found["jwks_uri"])
                self._metadata, self._keys, self._until = found, keys, now + KEEPS_SECONDS
            return self._metadata

    def _fetch(self, client: OAuth2Client, url: str) -> dict[str, Any]:
        try:
            answer = client.request("GET", url, withhold_token=True)
            answer.raise_for_status()
            found = answer.json()
        except Exception as error:
            raise DeskError(AWAY) from error
        if not isinstance(found, dict):
            raise DeskError(AWAY)
        return found

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            self._client_id, self._secret, token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope="openid", redirect_uri=self._back, code_challenge_method="S256", timeout=TIMEOUT, trust_env=False,
        )  # fmt: skip
