"""The dispatcher process: claims queued builds and runs them through an executor. As many as wanted, on many hosts."""

from __future__ import annotations

import os
import signal
import socket


def main() -> int:
    """Run until SIGTERM."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagefactory.settings.django")
    os.environ.setdefault("IMAGEFACTORY_PROCESS", "dispatcher")
    import django

    from imagefactory.kernel import env, telemetry

    settings = env.get()
    telemetry.configure(settings.log_level, "dispatcher")
    django.setup()
    from imagefactory.adapters.logs.files import FileLogStore
    from imagefactory.adapters.logs.notify import LogNotifier
    from imagefactory.entry.dispatcher.host import Host
    from imagefactory.executors.registry import make_executor
    from imagefactory.kernel import pg

    executor = make_executor(
        settings.executor, helper=settings.helper, scratch=settings.data_dir / "run" / "fake",
        need_jail=settings.build_isolation == "jail",
    )  # fmt: skip
    store = FileLogStore(settings.data_dir / "build-logs", settings.max_log_mib * 1024 * 1024)
    host = Host(settings.worker_name or socket.gethostname(), executor, store, LogNotifier(pg.conninfo()), settings)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: host.stop())
    host.run()
    return 0
