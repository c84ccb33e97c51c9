"""Procrastinate tasks; the outbox has its own relay because it must not wait behind jobs."""

from __future__ import annotations

from procrastinate import App

from imagefactory.entry.jobs import tenant_tasks


def register(app: App) -> None:
    """Add the factory's tasks to the app; called when Django is ready."""

    @app.periodic(cron="17 * * * *")
    @app.task(name="retention.jobs", queueing_lock="retention.jobs", pass_context=False)
    def forget_old_rows(timestamp: int) -> None:
        from imagefactory.entry.jobs.retention import forget_old_rows as forget

        forget()

    tenant_tasks.register(app)
    _register_audit(app)

    @app.task(name="notifications.send", pass_context=False)
    def send_mail(mail_id: str) -> None:
        from imagefactory.entry.jobs.mail import send

        send(mail_id)

    @app.periodic(cron="* * * * *")
    @app.task(name="notifications.send_due", queueing_lock="notifications.send_due", pass_context=False)
    def send_due(timestamp: int) -> None:
        from imagefactory.entry.jobs.mail import send_due as send

        send()

    @app.periodic(cron="41 6 * * *")
    @app.task(name="keys.warn", queueing_lock="keys.warn", pass_context=False)
    def warn_of_expiring_keys(timestamp: int) -> None:
        from imagefactory.domain.identity.services import warn_of_expiring_keys as warn
        from imagefactory.kernel.actor import system

        warn(system("key clock"))

    @app.periodic(cron="* * * * *")
    @app.task(name="directories.look", queueing_lock="directories.look", pass_context=False)
    def look_who_left(timestamp: int) -> None:
        from imagefactory.entry.jobs.directories import look_when_due

        look_when_due(timestamp)


def _register_audit(app: App) -> None:
    @app.periodic(cron="* * * * *")
    @app.task(name="audit.refusals", queueing_lock="audit.refusals", pass_context=False)
    def tell_counted_refusals(timestamp: int) -> None:
        from imagefactory.domain.audit.services.refusals import tell_counted_refusals as tell

        tell()

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="audit.checkpoints", queueing_lock="audit.checkpoints", pass_context=False)
    def sign_checkpoints(timestamp: int) -> None:
        from imagefactory.domain.audit.services.checkpoints import sign_due_checkpoints
        from imagefactory.kernel import env

        sign_due_checkpoints(env.get().data_dir)

    @app.periodic(cron="41 3 * * *")
    @app.task(name="audit.retention", queueing_lock="audit.retention", pass_context=False)
    def keep_months(timestamp: int) -> None:
        from imagefactory.domain.audit.services.trim import drop_old_months, make_partitions_ahead
        from imagefactory.kernel import env

        make_partitions_ahead()
        drop_old_months(env.get().data_dir, env.get().audit_days)
