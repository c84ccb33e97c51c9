"""Images in the registry: list them, and show their versions."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from imagefactory.entry.cli.client import connect, told
from imagefactory.entry.cli.session import AsJson
from imagefactory.entry.cli.tables import moment, say, show_fields, show_json, show_table, size

app = typer.Typer(no_args_is_help=True, help="Images in the registry.")


@app.command("list")
@told
def list_images(
    *,
    project: Annotated[str, typer.Option(help="Only of this project.")] = "",
    search: Annotated[str, typer.Option(help="Only names with this text.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 50,
    cursor: Annotated[str, typer.Option(help="Go on where a list ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """List images, last pushed first."""
    found = connect().get("/images", project=project, search=search, limit=limit, cursor=cursor)
    if as_json:
        show_json(found)
        return
    show_table(("image", "digest", "size", "tags", "pushed"), map(_row, found["items"]), empty="No image yet.")
    if found["next_cursor"]:
        say(f"More: --cursor {found['next_cursor']}")


def _row(image: dict[str, Any]) -> tuple[object, ...]:
    latest = image["latest"] or {"digest": "", "size_bytes": 0, "tags": []}
    return (
        image["reference"], latest["digest"][:19], size(latest["size_bytes"]), ", ".join(latest["tags"]),
        moment(image["pushed_at"]),
    )  # fmt: skip


@app.command()
@told
def show(
    name: Annotated[str, typer.Argument(help="<project> or <project>/<name>")], *, as_json: AsJson = False
) -> None:
    """Show an image with its newest versions."""
    image = connect().get(f"/images/{quote(name)}")
    if as_json:
        show_json(image)
        return
    show_fields([("image", image["reference"]), ("last pushed", moment(image["pushed_at"]))])
    rows = [
        (
            v["digest"], ", ".join(v["tags"]), size(v["size_bytes"]), ", ".join(v["platforms"]),
            v["pushed_by_name"], moment(v["pushed_at"]),
        )
        for v in image["versions"]
    ]  # fmt: skip
    show_table(("digest", "tags", "size", "platforms", "by", "pushed"), rows, empty="No version yet.")
