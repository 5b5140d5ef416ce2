"""A small OpenID Connect provider on loopback: discovery, keys, authorisation with PKCE, tokens. It can be made to lie in every way that matters."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT = "the-desk"
SECRET = "a secret between the two"


class Provider:
    """It vouches for `subject`; `lies` change the token's claims, `header` its header, `key` its signature; `given` counts codes that were taken."""

    def __init__(self) -> None:
        self.subject = "sub-eve"
        self.lies: dict[str, Any] = {}
        self.unsigned = self.shared = self.other_issuer = self.away = False
        self.answer_issuer: str | None = None
        self.new_key()
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if provider.away:
                    self._say(500, {})
                elif parts.path == "/.well-known/openid-configuration":
                    self._say(200, provider.metadata())
                elif parts.path == "/keys":
                    self._say(200, {"keys": [provider.key.as_dict(private=False)]})
                elif parts.path == "/authorize":
                    self.send_response(303)
                    self.send_header("Location", provider.authorize({name: values[0] for name, values in parse_qs(parts.query).items()}))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self._say(*provider.token({name: values[0] for name, values in form.items()}, self.headers.get("authorization", "")))

            def _say(self, status: int, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def new_key(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": "https://other.example" if self.other_issuer else self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys", "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }  # fmt: skip

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to: the person agreed."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        said = {"code": code, "state": query["state"], **({"iss": self.answer_issuer} if self.answer_issuer else {})}
        return f"{query['redirect_uri']}?{urlencode(said)}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """RFC 6749 section 4.1.3 and RFC 7636 section 4.6: a code once, with its verifier, from the client itself."""
        query = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if query is None or challenge != query["code_challenge"] or form.get("redirect_uri") != query["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if authorization != f"Basic {known}":
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": query["nonce"], **self.lies}
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.unsigned:
            pieces = ({"alg": "none"}, claims)
            written = ".".join(base64.urlsafe_b64encode(json.dumps(piece).encode()).decode().rstrip("=") for piece in pieces) + "."
        elif self.shared:
            public = json.dumps(self.key.as_dict(private=False))
            written = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(public))
        else:
            written = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        return 200, {"access_token": "an access token", "token_type": "Bearer", "expires_in": 300, "id_token": written}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
