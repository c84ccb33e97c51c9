"""What the second wall costs: the same requests as `app`, bound by the policies, and as `system`, without them, in turns."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.factory import Factory, connected
from benchmarks.figures import Figure, Options, spread, spread_figures
from benchmarks.lists import Scene, asked_of, get_page, make_scene

TURNS = 6


def _compared(scene: Scene, each: int) -> Iterator[Figure]:
    from django.test import Client

    browser, asked = Client(), asked_of(scene)
    spent: dict[str, dict[str, list[float]]] = {what: {"app": [], "system": []} for what, *_ in asked}
    for turn in range(TURNS):
        for role in ("app", "system") if turn % 2 else ("system", "app"):
            with connected(role):
                for what, path, headers in asked:
                    for n in range(each + 3):
                        began = time.perf_counter()
                        get_page(browser, path, headers)
                        if n >= 3:
                            spent[what][role].append((time.perf_counter() - began) * 1000)
    for what, by_role in spent.items():
        without = spread(by_role["system"])
        for figure, peer in zip(spread_figures(what, by_role["app"]), without, strict=True):
            yield Figure(figure.what, figure.value, "ms", peer=peer, peer_name="without the wall", note=figure.note)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    factory = Factory(IMAGEFACTORY_EXECUTOR="fake", IMAGEFACTORY_BUILD_NETWORK="none")
    with factory.running():
        factory.django()
        from django.db import connections

        try:
            yield from _compared(make_scene(factory), 5 if options.quick else 25)
        finally:
            connections.close_all()
