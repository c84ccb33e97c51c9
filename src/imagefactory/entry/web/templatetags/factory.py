"""What templates need beyond Django's own: built assets, icons, statuses, times, copy buttons and form fields."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from imagefactory.entry.web import marks, words
from imagefactory.entry.web.forms import Form
from imagefactory.kernel.clock import now

register = template.Library()
FEW = 3  # tags of an image in a line
_MANIFEST = Path(__file__).resolve().parent.parent / "static/dist/manifest.json"


@functools.cache
def _names() -> dict[str, str]:
    return dict(json.loads(_MANIFEST.read_text())) if _MANIFEST.is_file() else {}


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a bundle, with the hash of its content in it."""
    return f"/static/dist/{_names().get(name, name)}"


@register.simple_tag
def favicon(name: str) -> SafeString:
    """Return the link to the icon of the browser's tab: the product's mark, or a build's status."""
    known = {"mark", "succeeded", "failed", "running", "cancelled"}
    return format_html(
        '<link rel="icon" href="/static/icons/{}.svg" type="image/svg+xml">', name if name in known else "queued"
    )


@register.simple_tag
def icon(name: str, tone: str = "") -> SafeString:
    """Return an icon of the sprite; always next to a word or a label."""
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="#i-{}"/></svg>', tone, name)


@register.simple_tag
def status(value: str) -> SafeString:
    """Return a status as shape and word."""
    m = marks.mark(value)
    spin = "icon spin" if m.shape == "run" else "icon"
    return format_html(
        '<span class="st {}"><svg class="{}" aria-hidden="true"><use href="#i-{}"/></svg>{}</span>',
        m.tone, spin, m.shape, m.word,
    )  # fmt: skip


@register.simple_tag
def when(moment: dt.datetime | None) -> SafeString | str:
    """Return a moment as relative time with the exact one on hover; scripts keep it fresh."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    title = f"{local:%-d %B %Y, %H:%M:%S %Z}"
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>', moment.isoformat(), title, words.ago(moment, now())
    )


@register.simple_tag
def clock(moment: dt.datetime | None) -> SafeString | str:
    """Return a moment as the time of day in the person's zone, with the day when it is not today; for evidence."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    today = local.date() == timezone.localtime(now()).date()
    shown = f"{local:%H:%M:%S}" if today else f"{local:%-d %b, %H:%M:%S}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), f"{local:%-d %B %Y, %H:%M:%S %Z}", shown
    )


@register.simple_tag
def stamp(moment: dt.datetime) -> SafeString:
    """Return a moment in full in the person's zone, with UTC on hover; for the record, where every day counts."""
    local = timezone.localtime(moment)
    utc = moment.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(), f"{local:%-d %B %Y, %H:%M:%S %Z}; {utc:%Y-%m-%d %H:%M:%S.%f} UTC", f"{local:%-d %b %Y, %H:%M:%S}",
    )  # fmt: skip


@register.simple_tag
def due(moment: dt.datetime) -> SafeString:
    """Return the day on which something ends, in the person's zone, with the exact moment and UTC on hover."""
    local = timezone.localtime(moment)
    title = f"{local:%-d %B %Y, %H:%M %Z}; {moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), title, f"{local:%-d %b %Y}")


@register.simple_tag
def took(start: dt.datetime | None, end: dt.datetime | None) -> SafeString | str:
    """Return how long something took; while it goes on, a duration that scripts let tick."""
    if start is None:
        return ""
    if end is None:
        so_far = words.between(start, now())
        return format_html('<time data-since="{}">{}</time>', start.isoformat(), so_far)
    return words.between(start, end)


@register.simple_tag
def copy(text: str, what: str) -> SafeString:
    """Return the button that copies `text`; `what` names it for those who do not see it."""
    return format_html(
        '<button class="copy" type="button" data-copy="{}" aria-label="Copy {}">'
        '<svg class="icon" aria-hidden="true"><use href="#i-copy"/></svg></button>',
        text, what,
    )  # fmt: skip


@register.inclusion_tag("blocks/copy_line.html")
def copy_line(text: str, what: str) -> dict[str, str]:
    """Return a line of text to copy, selectable, with its button."""
    return {"text": text, "what": what}


@register.inclusion_tag("blocks/field.html")
def field(
    form: Form,
    name: str,
    label: str,
    kind: str = "text",
    hint: str = "",
    choices: Sequence[tuple[str, str]] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return one field with label above, help and errors under it.

    `kind` is an input type, `area`, `code` or `select`. `more` may hold optional, free (needed only with another choice, so
    the browser does not insist), autocomplete, rows, prefix, readonly, placeholder, accept, focus.
    """
    wrong = form.wrong(name)
    described = [f"h-{name}"] if hint else []
    return {
        "name": name, "label": label, "kind": kind, "hint": hint, "choices": choices, "wrong": wrong,
        "value": "" if kind == "password" else form.value(name),
        "described": " ".join([*described, *([f"w-{name}"] if wrong else [])]),
        "optional": more.get("optional", False),
        "required": not more.get("optional") and not more.get("free") and kind != "file", "autocomplete": more.get("autocomplete", ""),
        "rows": more.get("rows", 4), "prefix": more.get("prefix", ""), "readonly": more.get("readonly", False),
        "placeholder": more.get("placeholder", ""), "accept": more.get("accept", ""), "focus": more.get("focus", False),
    }  # fmt: skip


@register.filter
def few_tags(tags: Sequence[str]) -> str:
    """Return the first tags of an image, `latest` before all others, and how many more there are."""
    ordered = sorted(tags, key=lambda t: t != "latest")
    more = f" and {len(ordered) - FEW} more" if len(ordered) > FEW else ""
    return ", ".join(ordered[:FEW]) + more


@register.simple_tag
def tag_cell(tags: Sequence[str]) -> SafeString:
    """Return the tag to show in a narrow column, and how many more there are; that number is never cut off."""
    first = next((t for t in tags if t == "latest"), next(iter(tags), ""))
    if not first:
        return format_html('<span class="dim">{}</span>', "untagged")
    others = [t for t in tags if t != first]
    shown = ", ".join([first, *others]) if len(others) < FEW else first
    more = format_html('<span class="dim">and {} more</span>', len(others)) if len(others) >= FEW else ""
    return format_html(
        '<div class="line" title="{}"><span class="cut">{}</span>{}</div>', ", ".join([first, *others]), shown, more
    )


register.filter("mark", marks.mark)
register.filter("size", words.size)
register.filter("short_digest", words.short_digest)


@register.filter
def image_address(path: str) -> str:
    """Return the address of an image's page from its path in the registry, `tenant/name`."""
    tenant, _, name = path.partition("/")
    return f"/t/{tenant}/images/{name}"
