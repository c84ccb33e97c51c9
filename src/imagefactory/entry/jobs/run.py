"""The worker process: procrastinate's worker and the outbox relay beside it."""

from __future__ import annotations

import os
import signal
import threading


def main() -> int:
    """Run until SIGTERM; both halves finish what they hold."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagefactory.settings.django")
    os.environ.setdefault("IMAGEFACTORY_PROCESS", "worker")
    import django

    from imagefactory.kernel import env, telemetry

    telemetry.configure(env.get().log_level, "worker")
    django.setup()
    from procrastinate.contrib.django import app

    from imagefactory.entry.jobs.outbox import relay

    stop = threading.Event()
    thread = threading.Thread(target=relay, args=(stop,), name="outbox-relay", daemon=True)
    thread.start()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app.with_connector(app.connector.get_worker_connector()).run_worker(  # type: ignore[attr-defined]
            concurrency=4,
            fetch_job_polling_interval=2.0,
            shutdown_graceful_timeout=20,
            install_signal_handlers=True,
        )
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        thread.join(10)
    return 0
