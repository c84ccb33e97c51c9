"""Procrastinate tasks about tenants and deleted projects."""

from __future__ import annotations

import uuid

from procrastinate import App, RetryStrategy


def register(app: App) -> None:
    """Add these tasks to the app."""

    @app.task(
        name="builds.cancel_project", pass_context=False, retry=RetryStrategy(max_attempts=10, exponential_wait=5)
    )
    def cancel_project(project_id: str) -> None:
        from imagefactory.domain.builds.services.cancel import cancel_all_of_project

        cancel_all_of_project(uuid.UUID(project_id))

    @app.task(name="tenants.export", pass_context=False)
    def export(export_id: str) -> None:
        from imagefactory.entry.jobs.tenant_export import make_export

        make_export(uuid.UUID(export_id))

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="tenants.due", queueing_lock="tenants.due", lock="tenants.due", pass_context=False)
    def due(timestamp: int) -> None:
        from imagefactory.entry.jobs.tenant_export import forget_expired, make_waiting
        from imagefactory.entry.jobs.tenant_removal import remove_due

        make_waiting()
        forget_expired()
        remove_due()
