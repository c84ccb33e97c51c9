"""The front door's configuration: Caddy, one port in front of web, stream, registry and static files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import imagefactory
from imagefactory.entry.up.site import Site

# Read from the right: what stands further left in X-Forwarded-For, the client may have written itself.
_TRUSTED = "trusted_proxies static private_ranges\n\t\ttrusted_proxies_strict"
_PAGES = Path(__file__).with_name("pages")
STATIC = Path(imagefactory.__file__).parent / "entry" / "web" / "static"
REGISTRY_CHECK = "/internal/registry-check"
# A layer of an image; a registry of this size keeps whole disks of machines.
MOST_REGISTRY_BODY = "64GiB"


def program() -> str | None:
    """Return the caddy program: the wheel's, beside this Python, or one on PATH."""
    beside = Path(sys.executable).with_name("caddy")
    return str(beside) if beside.is_file() else shutil.which("caddy")


def argv(site: Site) -> list[str]:
    return [program() or "caddy", "run", "--adapter", "caddyfile", "--config", str(site.run / "Caddyfile")]


def configuration(site: Site) -> str:
    """Return the Caddyfile. Caddy calls nobody outside: no certificates are fetched and its admin port is
    off.
    """
    settings = site.settings
    certificate = _word(settings.tls_certificate)
    return _TEMPLATE.format(
        address=f"{'https' if settings.tls_certificate else 'http'}://:{settings.port}",
        tls=f"tls {certificate} {_word(settings.tls_key)}" if settings.tls_certificate else "",
        bind=settings.bind,
        proxies=_TRUSTED if settings.listen_port else "",
        state=_word(site.run / "caddy"),
        scheme=settings.public_url.split(":", maxsplit=1)[0],
        registry=_word(f"unix/{site.run / 'registry.sock'}"),
        stream=_word(f"unix/{site.run / 'stream.sock'}"),
        web=_word(f"unix/{site.run / 'web.sock'}"),
        static=_word(STATIC),
        pages=_word(_PAGES),
        check=REGISTRY_CHECK,
        registry_away=json.dumps({"errors": [{"code": "UNAVAILABLE", "message": _STARTING, "detail": None}]}),
        starting=_envelope("unavailable", _STARTING),
        too_large=_envelope("too_large", _TOO_LARGE),
        registry_body=MOST_REGISTRY_BODY,
        # A source archive and the form around it.
        web_body=f"{settings.max_context_mib + 16}MiB",
    )


_STARTING = (
    "This part of the factory is starting. Try again in a few seconds; if it stays so, run "
    "imagefactory status on the machine."
)
_TOO_LARGE = (
    "What was sent is larger than this factory takes. Send less, or ask an administrator to raise "
    "IMAGEFACTORY_MAX_CONTEXT_MIB."
)


def _envelope(code: str, message: str) -> str:
    """Return the API's error envelope, as the web process would have written it."""
    return json.dumps({"error": {"code": code, "message": message, "details": {}, "request_id": ""}})


def _word(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


_TEMPLATE = """\
# Written by the factory at every start.
{{
	admin off
	auto_https off
	persist_config off
	skip_install_trust
	storage file_system {state}
	grace_period 5s
	log {{
		output stderr
		# What stands behind /invite/ lets its holder in, so no line of an error holds it.
		format filter {{
			wrap console
			fields {{
				request>uri regexp "/invite/[^?]+" "/invite/-"
			}}
		}}
		level WARN
	}}
	servers {{
		max_header_size 64KiB
		{proxies}
		timeouts {{
			read_header 15s
			idle 2m
		}}
	}}
}}

(upstream) {{
	# While a process restarts, requests wait for it a few seconds instead of failing.
	lb_try_duration 6s
	lb_try_interval 200ms
	header_up X-Forwarded-Proto {scheme}
	# The one client, not the proxies on the way: attempts to sign in are counted by it, and the audit trail names it.
	header_up X-Forwarded-For {{client_ip}}
	transport http {{
		# Web and stream close a connection that was idle for 30 seconds. Letting go of it well before that keeps a POST,
		# which nobody may send twice, from meeting a connection that is just being closed.
		keepalive 10s
	}}
}}

{address} {{
	bind {bind}
	{tls}
	header -Server

	@registry path /v2 /v2/*
	handle @registry {{
		request_body {{
			max_size {registry_body}
		}}
		# Web is asked before each request, without its body, whether the holder of the token may still do this. No answer
		# is a refusal.
		forward_auth {web} {{
			uri {check}
			import upstream
		}}
		reverse_proxy {registry} {{
			import upstream
		}}
	}}

	@stream path /live /live/* /api/v1/builds/*/logs/stream
	handle @stream {{
		request_body {{
			max_size 16MiB
		}}
		reverse_proxy {stream} {{
			import upstream
			flush_interval -1
		}}
	}}

	# What the factory's own processes ask each other comes over sockets, never through here.
	@internal path /internal /internal/*
	handle @internal {{
		respond 404
	}}

	handle_path /static/* {{
		root * {static}
		header X-Content-Type-Options nosniff
		header Cache-Control "public, max-age=300"
		@hashed path_regexp [-.][0-9A-Za-z_]{{8,}}\\.(js|css|svg|woff2|png)$
		header @hashed Cache-Control "public, max-age=31536000, immutable"
		file_server {{
			precompressed br gzip
			hide .*
		}}
	}}

	handle {{
		request_body {{
			max_size {web_body}
		}}
		encode gzip
		reverse_proxy {web} {{
			import upstream
		}}
	}}

	handle_errors 502 503 504 {{
		header Retry-After 3
		header Cache-Control no-store
		@away path /v2 /v2/*
		handle @away {{
			header Content-Type application/json
			respond `{registry_away}` 503
		}}
		@programs path /api/* /live/* /registry/*
		handle @programs {{
			header Content-Type application/json
			respond `{starting}` {{err.status_code}}
		}}
		handle {{
			rewrite * /unavailable.html
			root * {pages}
			file_server
		}}
	}}
	handle_errors 413 {{
		@programs413 path /api/* /v2/* /live/* /registry/*
		handle @programs413 {{
			header Content-Type application/json
			respond `{too_large}` 413
		}}
		handle {{
			rewrite * /too-large.html
			root * {pages}
			file_server
		}}
	}}
}}
"""
