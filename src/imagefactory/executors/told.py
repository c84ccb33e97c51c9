"""The isolation of a build in sentences, for the first lines of its log."""

from __future__ import annotations

from imagefactory.executors.base import Isolation

NO_BOUNDARY = "That is no boundary against hostile code: build only what you trust."


def sentences(isolation: Isolation, asked_network: str) -> list[str]:
    """Return what a reader of the log should know of the walls around the build, loudest first."""
    if isolation.level == "none":
        return ["Isolation: none. This executor runs no process; nothing of what follows is a real build."]
    if isolation.level == "jail":
        short = f", without {', '.join(isolation.missing)}" if isolation.missing else ""
        return [f"Isolation: jail, network {isolation.network}{short}."]
    told = [f"DEGRADED ISOLATION: this build runs without its jail. {NO_BOUNDARY}"]
    told.append(f"Missing: {', '.join(isolation.missing)}.")
    if isolation.network != asked_network:
        told.append(
            f"Network {isolation.network} is in force, not {asked_network}: without the jail a build would reach the "
            "services of this machine."
        )
    return told
