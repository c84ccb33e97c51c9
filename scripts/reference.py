"""Writes docs/reference/ from the code: settings, permissions, statuses, events, errors, commands, API and manifest.

`python -m scripts.reference` writes what changed, `--check` writes nothing and fails when something would. The pages in
docs/reference/ that are not in PAGES are written by hand.
"""

# ruff: noqa: INP001 - beside shell scripts; run as a module only so that it finds the code

from __future__ import annotations

import dataclasses
import enum
import importlib
import importlib.util
import json
import os
import pkgutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args, get_origin

REFERENCE: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"
_MADE: Final = "<!-- Made by `python -m scripts.reference`. Change the code it is made from, not this file. -->"

# What each code means to whoever gets it. A code without a sentence here stops the generator.
_ERRORS: Final = {
    "invalid_request": "The request cannot be read, or a value in it is out of range.",
    "second_factor_required": "The account or the team asks for a second factor; `details.challenge` takes the code.",
    "email_confirmation_required": "The e-mail address is not confirmed yet; open the link in the message.",
    "password_change_required": "The password must be changed before anything else.",
    "sign_in_bound": "This sign-in came through a team's own provider and holds in that team only.",
    "sign_in_refused": "The identity provider's answer was not accepted; the message says why.",
    "sso_required": "The team lets its members in through its identity provider only.",
    "last_administrator": "The installation would be left without an administrator.",
    "precondition_failed": "Someone changed it since it was read; read it again and repeat the change.",
    "tenant_suspended": "The team is suspended, waits for its approval or is being deleted: reading goes on, changes are refused.",
    "tenant_required": "The person belongs to several tenants and the request names none. Send `X-Tenant-ID`.",
    "unauthorized": "Nobody is signed in, or the token is unknown, revoked or not of this kind.",
    "token_expired": "The token has run out. Refresh the session, or make a new key.",
    "already_decided": "Someone decided this before; nothing was changed.",
    "last_owner": "The team would have no owner left. Make someone else an owner first.",
    "permission_denied": "You may see this and may not do it. `details.permission` names the permission that is needed.",
    "address_not_allowed": "The team takes no requests from the address in `details.address`. Use a network on its list.",
    "tenant_capability_not_entitled": "The tenant is not entitled to this. `details.capability` names what is off.",
    "not_found": "It does not exist, or you may not see it; the two are not told apart.",
    "conflict": "It does not fit what is there now: a name is taken, or someone changed it meanwhile.",
    "invalid_transition": "The object's state does not allow this move. `details.state` is its state now.",
    "build_not_cancellable": "The build has finished already.",
    "too_large": "The request or the upload is larger than allowed.",
    "validation_failed": "Fields need correcting: `details.fields` has them all, each with its sentences.",
    "rate_limited": "Too often. `details.retry_after_seconds` and `Retry-After` say when again.",
    "internal_error": "Something went wrong in the factory. Give the operator the `request_id`.",
    "unavailable": "Something that this needs is away for now. Try again; `Retry-After` says when.",
}


def _modules(name: str) -> Iterator[ModuleType]:
    """Yield `domain/<app>/<name>.py` of each app that has one, in the order of their names."""
    from imagefactory import domain

    for app in sorted(found.name for found in pkgutil.iter_modules(domain.__path__)):
        full = f"imagefactory.domain.{app}.{name}"
        if importlib.util.find_spec(full) is not None:
            yield importlib.import_module(full)


def _sentence(thing: Any) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join((thing.__doc__ or "").strip().split("\n\n")[0].split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([_MADE, f"# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def _type(field: Any) -> str:
    kinds = {"int": "whole number", "float": "number", "bool": "true or false", "Path": "path", "str": "text"}
    annotation = field.annotation
    bounds = list(field.metadata)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    for part in get_args(annotation):
        if part is not type(None):
            annotation = part
    if hasattr(annotation, "__metadata__"):  # Annotated inside a union
        bounds += [b for info in annotation.__metadata__ for b in info.metadata]
        annotation = annotation.__origin__
    least = next((b.ge for b in bounds if hasattr(b, "ge")), None)
    most = next((b.le for b in bounds if hasattr(b, "le")), None)
    name = kinds[annotation.__name__]
    return name if least is None else f"{name}, {least:,} to {most:,}"


def _default(name: str, field: Any) -> str:
    if name == "data_dir":  # depends on who asks
        return "`/var/lib/imagefactory` for root, `~/.local/share/imagefactory` for others"
    value = field.default
    if value is None or value == "":
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def settings() -> str:
    """Return the page of all settings."""
    from imagefactory.entry.cli import credentials
    from imagefactory.kernel import env

    rows = [
        (f"`{env.PREFIX}{name.upper()}`", _type(field), _default(name, field), str(field.description))
        for name, field in env.Settings.model_fields.items()
    ]
    client = [
        (f"`{credentials.URL}`", "Address of the factory. Empty: the one of the last sign-in, "
         f"else `{credentials.DEFAULT_URL}`."),
        (f"`{credentials.TOKEN}`", "An API key to use instead of a sign-in; for programs."),
        (f"`{credentials.TENANT}`", "The tenant to work in, where you belong to several."),
    ]  # fmt: skip
    return _page(
        "Settings",
        "Environment variables of the processes that `imagefactory up` starts, read once at their start. All that is "
        "wrong is told together, before anything starts, with exit status 2.",
        _table(("variable", "type", "default", "what it is"), rows),
        "## The command line's own\n\nRead by the commands that talk to a factory, on whatever machine they run.",
        _table(("variable", "what it is"), client),
    )


def _routes() -> dict[str, list[str]]:
    """Return the API's routes by the permission that they state."""
    from imagefactory.entry.api.site import openapi_text

    found: dict[str, list[str]] = {}
    for path, methods in json.loads(openapi_text())["paths"].items():
        for method, route in methods.items():
            found.setdefault(route["x-permission"], []).append(f"`{method.upper()} {path.removeprefix('/api/v1')}`")
    return found


def permissions() -> str:
    """Return the role matrix, what a refusal says, and the routes by permission."""
    from imagefactory.domain.identity.permissions import REASONS, ROLE_PERMISSIONS, Permission, Role

    matrix = [(f"`{p}`", *("yes" if p in ROLE_PERMISSIONS[role] else "no" for role in Role)) for p in Permission]
    routes = _routes()
    return _page(
        "Permissions",
        _sentence(Role),
        "What one may not see answers `404 not_found`, like what does not exist. What one may see and not do answers "
        "`403 permission_denied` with the reason.",
        _table(("permission", *(role.capitalize() for role in Role)), matrix),
        "## What a refusal says",
        _table(("permission", "reason"), [(f"`{p}`", REASONS[p]) for p in Permission]),
        "## Routes of the API by permission\n\nBelow `/api/v1`. `artifact:download` is what the registry asks for at "
        "each pull, and `build:start` at each push. Nothing asks yet for the other permissions without a route.",
        _table(
            ("needs", "routes"),
            [(f"`{p}`" if p in set(Permission) else p, ", ".join(routes.get(p, [])))
             for p in ["none", "signed in", "member", "owner", "owner, always", "administrator, reading", "administrator", *Permission]],
        ),
    )  # fmt: skip


def _enums(module: ModuleType) -> list[type[enum.StrEnum]]:
    return [
        value for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, enum.StrEnum) and value.__module__ == module.__name__
    ]  # fmt: skip


def _words(cls: type[enum.StrEnum]) -> str:
    return ", ".join(f"`{value}`" for value in cls if value)


def statuses() -> str:
    """Return every machine with its states and moves, and the other closed lists of words."""
    from imagefactory.entry.web.help_views import MEANINGS
    from imagefactory.kernel.states import Machine

    meanings = {str(state): text for state, text in MEANINGS.items()}
    parts, moving = [], set()
    for module in _modules("states"):
        for machine in [value for value in vars(module).values() if isinstance(value, Machine)]:
            states: type[enum.StrEnum] = machine.states
            moving.add(states)
            rows = [
                (
                    f"`{state}`",
                    ", ".join(f"`{target}`" for target in states if machine.allows(state, target)) or "none: final",
                    meanings.get(state, "") if machine.noun == "build" else "",
                )
                for state in states
            ]
            head = ("state", "may become", "means") if machine.noun == "build" else ("state", "may become")
            parts += [f"## {machine.noun.capitalize()}", _table(head, [row[: len(head)] for row in rows])]
    others = [
        (cls.__name__, _words(cls), _sentence(cls) if "__doc__" in vars(cls) else "")
        for module in _modules("states") for cls in _enums(module) if cls not in moving
    ]  # fmt: skip
    return _page(
        "Statuses",
        "A move that is not listed is refused with `409 invalid_transition`. An *execution* is one attempt of a build.",
        *parts,
        "## Other closed lists",
        _table(("list", "words", "what it is"), others),
    )


def events() -> str:
    """Return every event with its payload, and what each sets off."""
    from imagefactory.kernel.events import Event
    from imagefactory.reactions.envelope import Envelope
    from imagefactory.reactions.table import TABLE

    rows = []
    for module in _modules("events"):
        for cls in vars(module).values():
            if not (isinstance(cls, type) and issubclass(cls, Event) and "type" in vars(cls)):
                continue
            fields = [
                f"`{f.name}` {str(f.type).replace('uuid.UUID', 'uuid')}"
                for f in dataclasses.fields(cls)
                if f.name != "tenant_id"
            ]
            rows.append((f"`{cls.type}`", str(cls.schema_version), ", ".join(fields) or "nothing"))
    reactions = [
        (f"`{pattern}`", f"`{r.__name__}`", _sentence(r) or f"{r.__name__.replace('_', ' ').capitalize()}.")
        for pattern, r in TABLE
    ]
    return _page(
        "Events",
        "Every change of state is one event, written in the transaction of the change and handed on in order. New "
        "payload fields may be added; a changed meaning is a new version beside the old.",
        "## Around each payload",
        ", ".join(f"`{f.name}`" for f in dataclasses.fields(Envelope)) + ".",
        "## Types",
        _table(("type", "version", "payload"), sorted(rows)),
        "## What they set off",
        _table(("events", "reaction", "does"), reactions),
    )


def errors() -> str:
    """Return every code with its status.

    Raises KeyError for a code that has no status or no sentence.
    """
    from imagefactory.entry.http.failures import STATUS
    from imagefactory.kernel.errors import FactoryError

    list(_modules("errors"))
    codes, waiting = set(STATUS), [FactoryError]
    while waiting:
        cls = waiting.pop()
        codes.add(cls.code)
        waiting += cls.__subclasses__()
    rows = [(str(STATUS[code]), f"`{code}`", _ERRORS[code]) for code in sorted(codes, key=lambda c: (STATUS[c], c))]
    return _page(
        "Errors",
        "The API answers every refusal in one shape. `message` is a sentence for people and says what to do next; "
        "`code` is for programs; `request_id` finds the request in the logs.",
        '```json\n{"error": {"code": "not_found", "message": "There is no such build, ...", "details": {}, '
        '"request_id": "..."}}\n```',
        _table(("status", "code", "when"), rows),
        "While a process of the factory restarts, the front door itself answers `502` with the code `unavailable`.",
    )


def commands() -> dict[str, Any]:
    """Return every command of the command line by its words, such as "build submit", as click objects; sorted."""
    import typer

    from imagefactory.entry.cli import main

    if not main.app.registered_groups:
        main._mount()  # noqa: SLF001 - what main() does first
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        for name, child in sorted(getattr(command, "commands", {}).items()):
            walk(child, (*words, name))
        if words and not hasattr(command, "commands"):
            found[" ".join(words)] = command

    walk(typer.main.get_command(main.app), ())
    return found


def _usage(param: Any) -> tuple[str, str]:
    """Return how a parameter is written, and what it is."""
    text = getattr(param, "help", "") or ""
    if param.param_type_name == "argument":
        name = param.metavar or param.name.upper()
        return (f"`{name}`" if param.required else f"`[{name}]`"), text
    names = ", ".join(param.opts)
    kind = getattr(param.type_descriptor.annotation, "__name__", "")
    value = "" if param.is_flag else f" {param.metavar or {'int': 'NUMBER', 'Path': 'FILE'}.get(kind, 'TEXT')}"
    shown = param.default if isinstance(param.default, int) and not isinstance(param.default, bool) else None
    return f"`{names}{value}`", f"{text} Default: {shown}." if shown is not None else text


def cli() -> str:
    """Return the page of all commands."""
    from imagefactory.entry.cli import client, main

    parts = []
    for words, command in commands().items():
        rows = [_usage(p) for p in command.params if p.name != "help"]
        parts += [f"## imagefactory {words}", " ".join((command.help or "").split())]
        parts += [_table(("argument", "what it is"), rows)] if rows else []
    statuses = [
        ("0", "done; with `--follow`: the build succeeded"),
        ("1", "failed; with `--follow`: the build failed"),
        (str(client.USAGE), "wrong arguments, wrong settings, or a session file that cannot be used"),
        (str(client.REFUSED), f"not signed in, or not allowed; of `status`: not running ({main.NOT_RUNNING})"),
        (str(client.NOT_FOUND), "not found, or not yours to see"),
        (str(client.CONFLICT), "does not fit: needs correcting, or conflicts with what is there"),
        (str(client.UNREACHABLE), "the factory does not answer, or asks to wait"),
        ("130", "stopped with Ctrl-C; with `--follow` also: the build was cancelled"),
    ]
    return _page(
        "Command line",
        "`imagefactory COMMAND --help` says the same. Most commands take `--json` and then print what the API answers.",
        *parts,
        "## Exit status",
        _table(("status", "means"), statuses),
    )


def openapi() -> str:
    """Return the API's document."""
    from imagefactory.entry.api.site import openapi_text

    return openapi_text() + "\n"


def manifest_schema() -> str:
    """Return the JSON schema of a build manifest."""
    from imagefactory.methods.manifest import Manifest

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Manifest.model_json_schema()
    return json.dumps(schema, indent=2) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "cli.md": cli,
    "errors.md": errors,
    "events.md": events,
    "manifest.schema.json": manifest_schema,
    "openapi.json": openapi,
    "permissions.md": permissions,
    "settings.md": settings,
    "statuses.md": statuses,
}


def stale() -> list[str]:
    """Return the names of committed pages that differ from what the code says now; Django must be set up."""
    return [
        name for name, page in PAGES.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text("utf-8") != page()
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` only say which are stale; return the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("Usage: python -m scripts.reference [--check]\n")
        return 2
    with tempfile.TemporaryDirectory() as place:
        # Settings want a directory for keys; nothing of it is kept, and no other setting may colour the pages.
        for name in [n for n in os.environ if n.startswith("IMAGEFACTORY_")]:
            del os.environ[name]
        os.environ |= {"IMAGEFACTORY_DATA_DIR": place, "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django"}
        import django

        django.setup()
        names = stale()
        if arguments:
            for name in names:
                sys.stderr.write(f"docs/reference/{name} is stale. Run: python -m scripts.reference\n")
            return 1 if names else 0
        for name in names:
            (REFERENCE / name).write_text(PAGES[name](), "utf-8")
            sys.stdout.write(f"Wrote docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
