"""A token issuer of a CI system as a process: discovery, keys that turn over, and tokens with any claims.

argv: port. POST /sign with {"claims", "alg", "key", "header"} answers a token; POST /rotate makes new keys.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PORT = int(sys.argv[1])
ISSUER = f"http://127.0.0.1:{PORT}"


class Keys:
    """An RSA and an EC key, and one of each that is never published."""

    def __init__(self) -> None:
        self.generation = 0
        self.asked = 0
        self.turn()

    def turn(self) -> None:
        self.generation += 1
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.secret = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def published(self) -> dict[str, Any]:
        found = []
        for name, key, algorithm in (("rsa", self.rsa, "RS256"), ("ec", self.ec, "ES256")):
            public = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
            found.append({**public, "kid": f"{name}-{self.generation}", "alg": algorithm, "use": "sig"})
        return {"keys": found}


KEYS = Keys()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/.well-known/openid-configuration":
            self._send({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
        elif self.path == "/keys":
            KEYS.asked += 1
            self._send(KEYS.published())
        elif self.path == "/asked":
            self._send({"asked": KEYS.asked})
        elif self.path == "/big/.well-known/openid-configuration":
            self._send({"issuer": f"{ISSUER}/big", "x": "x" * 2_000_000})
        elif self.path == "/moved/.well-known/openid-configuration":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/liar/.well-known/openid-configuration":
            self._send({"issuer": "https://other.example", "jwks_uri": f"{ISSUER}/keys"})
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if self.path == "/rotate":
            KEYS.turn()
            self._send({})
            return
        algorithm = body.get("alg", "RS256")
        key: Any = {"RS256": KEYS.rsa, "ES256": KEYS.ec, "RS512": KEYS.rsa, "HS256": "x" * 40, "none": None}[algorithm]
        if body.get("key") == "secret":
            key = KEYS.secret
        kid = f"{'ec' if algorithm == 'ES256' else 'rsa'}-{KEYS.generation}"
        header = {"kid": kid, **body.get("header", {})}
        self._send({"token": jwt.encode(body["claims"], key, algorithm=algorithm, headers=header)})

    def _send(self, what: Any) -> None:
        text = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        sys.stderr.write(f"{args!r}\n")


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
