"""A real SAML identity provider (pysaml2 with xmlsec1) as a process: it signs whoever the query string says.

argv: a JSON file with port, known_port (of the address that it says is its own), entity_id, key, cert, metadata (files) and lifetime (minutes).
"""

from __future__ import annotations

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256


def server(options: dict[str, Any]) -> Server:
    base = f"http://127.0.0.1:{options['known_port']}"
    return Server(
        config=IdPConfig().load(
            {
                "entityid": options["entity_id"],
                "key_file": options["key"],
                "cert_file": options["cert"],
                "xmlsec_binary": "/usr/bin/xmlsec1",
                "metadata": {"local": options["metadata"]},
                "service": {
                    "idp": {
                        "endpoints": {"single_sign_on_service": [(f"{base}/sso", BINDING_HTTP_REDIRECT)]},
                        "policy": {"default": {"lifetime": {"minutes": options["lifetime"]}, "entity_categories": []}},
                    }
                },
            }
        )
    )


class Handler(BaseHTTPRequestHandler):
    idp: Server

    def do_GET(self) -> None:
        query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        asked = {"acs": query.get("acs", ""), "id": None, "sp": query.get("sp", "")}
        if "SAMLRequest" in query:
            request = self.idp.parse_authn_request(query["SAMLRequest"], BINDING_HTTP_REDIRECT).message
            asked = {"acs": request.assertion_consumer_service_url, "id": request.id, "sp": request.issuer.text}
        claims = json.loads(query["claims"])
        form = NAMEID_FORMAT_EMAILADDRESS if "@" in claims["subject"] else NAMEID_FORMAT_PERSISTENT
        response = self.idp.create_authn_response(
            identity={k: v for k, v in claims.items() if k != "subject"},
            in_response_to=asked["id"],
            destination=asked["acs"],
            sp_entity_id=query.get("audience") or asked["sp"],
            name_id=NameID(format=form, text=claims["subject"]),
            userid=claims["subject"],
            authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": "test"},
            sign_assertion=query.get("sign", "yes") == "yes",
            sign_response=False,
            sign_alg=SIG_RSA_SHA256,
            digest_alg=DIGEST_SHA256,
        )
        body = base64.b64encode(str(response).encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        sys.stderr.write(f"{args!r}\n")


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    Handler.idp = server(settings)
    ThreadingHTTPServer(("127.0.0.1", settings["port"]), Handler).serve_forever()
