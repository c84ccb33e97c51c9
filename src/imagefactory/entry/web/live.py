"""What a page listens to: the address of its event stream, and from where on."""

from __future__ import annotations

import dataclasses

from imagefactory.kernel import live


@dataclasses.dataclass(frozen=True)
class LiveOn:
    """<body data-live=url data-live-after=after>."""

    url: str
    after: str


def listen_to(*topics: str) -> LiveOn:
    """Return the stream of these topics, such as `build:<id>`; handed to the template as `live_on`.

    Call it before the page's data is read: then nothing that happens in between is missed. At most 19 topics, and the base template adds the person's own; the grant
    leaves out those that the person may not hear.
    """
    return LiveOn(f"/live?topics={','.join(topics[:19])}", str(live.newest()))
