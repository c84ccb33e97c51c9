"""Procrastinate tasks; the outbox has its own relay because it must not wait behind jobs."""

from __future__ import annotations

from procrastinate import App


def register(app: App) -> None:
    """Add the factory's tasks to the app; called when Django is ready."""

    @app.periodic(cron="17 * * * *")
    @app.task(name="retention.jobs", queueing_lock="retention.jobs", pass_context=False)
    def forget_old_rows(timestamp: int) -> None:
        from imagefactory.entry.jobs.retention import forget_old_rows as forget

        forget()

    @app.task(name="notifications.send", pass_context=False)
    def send_mail(mail_id: str) -> None:
        from imagefactory.entry.jobs.mail import send

        send(mail_id)

    @app.periodic(cron="* * * * *")
    @app.task(name="notifications.send_due", queueing_lock="notifications.send_due", pass_context=False)
    def send_due(timestamp: int) -> None:
        from imagefactory.entry.jobs.mail import send_due as send

        send()
