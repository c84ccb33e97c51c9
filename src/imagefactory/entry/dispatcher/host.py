"""One dispatcher host: claims while it has room, keeps leases alive, passes cancels on, takes back what is lost."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable

import psycopg
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from imagefactory import __version__
from imagefactory.adapters.logs.base import LogStore
from imagefactory.adapters.logs.notify import LogNotifier
from imagefactory.domain.builds import queue
from imagefactory.domain.builds.errors import LeaseLost
from imagefactory.domain.builds.services.execution import report_worker
from imagefactory.entry.dispatcher.attempt import Attempt
from imagefactory.executors.base import Executor, ExecutorUnavailable
from imagefactory.kernel import pg
from imagefactory.kernel.clock import now
from imagefactory.kernel.env import Settings

log = logging.getLogger(__name__)
TICK_SECONDS = 2.0
REAP_SECONDS = 5.0


class Host:
    """Runs until `stop` is called; then it claims nothing new and waits a while for what runs."""

    def __init__(
        self, name: str, executor: Executor, store: LogStore, notifier: LogNotifier, settings: Settings
    ) -> None:
        self.name, self._executor, self._settings = name, executor, settings
        self._store, self._notifier = store, notifier
        self._incarnation, self._started = uuid.uuid4(), now()
        self._running: dict[uuid.UUID, tuple[queue.Claim, Attempt]] = {}
        self._guard = threading.Lock()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._last_outage = float("-inf")

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Claim and run builds until stopped."""
        loops: tuple[tuple[str, Callable[[], None], float], ...] = (
            ("heartbeat", self._heartbeat, max(1.0, self._settings.lease_seconds / 5)),
            ("reaper", self._reap, REAP_SECONDS),
        )
        threads = [threading.Thread(target=self._every, args=loop, name=loop[0], daemon=True) for loop in loops]
        threads.append(threading.Thread(target=self._listen, name="listener", daemon=True))
        self._first_steps()
        for thread in threads:
            thread.start()
        while not self._stop.is_set():
            self._wake.clear()
            try:
                while self._has_room() and (claim := queue.claim(self.name)) is not None:
                    self._begin(claim)
            except (OperationalError, InterfaceError) as error:
                self._away("claiming", error)
                self._stop.wait(1.0)
            self._wake.wait(TICK_SECONDS)
        self._drain(self._settings.drain_seconds)

    def _first_steps(self) -> None:
        """Take back what an earlier life of this host held; the reaper removes what is left of it."""
        while not self._stop.is_set():
            try:
                if taken := queue.take_lost(self.name, self._started):
                    log.warning("took back %s builds that an earlier run of this worker held", taken)
                self._report()
                break
            except (OperationalError, InterfaceError) as error:
                self._away("starting", error)
                self._stop.wait(1.0)

    def _sweep(self) -> None:
        """Remove from this machine what nobody holds any more; another dispatcher's running builds stay."""
        try:
            left = self._executor.leftovers()
            for execution_id in set(left) - queue.held(left):
                self._executor.cleanup(execution_id)
        except ExecutorUnavailable as error:
            log.info("%s", error)

    def _has_room(self) -> bool:
        with self._guard:
            return len(self._running) < self._settings.worker_slots and not self._stop.is_set()

    def _begin(self, claim: queue.Claim) -> None:
        attempt = Attempt(claim, self._executor, self._store, self._notifier, self._settings)
        with self._guard:
            self._running[claim.execution_id] = (claim, attempt)
        threading.Thread(target=self._work, args=(claim, attempt), name=f"build-{claim.number}", daemon=True).start()

    def _work(self, claim: queue.Claim, attempt: Attempt) -> None:
        try:
            attempt.run()
        except (OperationalError, InterfaceError) as error:
            # The lease runs out or is taken back; the build starts again with nothing lost but this attempt.
            self._away(f"running build #{claim.number}", error)
        except Exception:
            log.exception("attempt of build #%s ended badly", claim.number)
        finally:
            with self._guard:
                self._running.pop(claim.execution_id, None)
            connection.close()
            self._wake.set()

    def _heartbeat(self) -> None:
        with self._guard:
            held = list(self._running.values())
        for claim, attempt in held:
            try:
                if queue.extend(claim):
                    attempt.cancel()
            except LeaseLost:
                with self._guard:
                    still = claim.execution_id in self._running
                if still:
                    attempt.abandon()
        self._report()

    def _report(self) -> None:
        with self._guard:
            running = len(self._running)
        report_worker(
            name=self.name, incarnation=self._incarnation, started_at=self._started, slots=self._settings.worker_slots,
            running=running, isolation={"executor": self._executor.name}, version=__version__,
        )  # fmt: skip

    def _reap(self) -> None:
        # After an outage of the database every worker has a lease's time to report before builds are taken from it.
        if time.monotonic() - self._last_outage > self._settings.lease_seconds and queue.take_lost():
            self._wake.set()
        self._sweep()

    def _every(self, name: str, work: Callable[[], None], seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                work()
            except (OperationalError, InterfaceError) as error:
                self._away(name, error)
            except Exception:
                log.exception("%s stumbled and goes on", name)
        connection.close()

    def _listen(self) -> None:
        """Wake on a notice of a queued build, and cancel at once on a notice of a cancel; both are only hints."""
        while not self._stop.is_set():
            try:
                with psycopg.connect(pg.conninfo(), autocommit=True, application_name="dispatcher-listen") as listener:
                    listener.execute(f"listen {queue.QUEUED}")
                    listener.execute(f"listen {queue.CANCELS}")
                    self._wake.set()
                    while not self._stop.is_set():
                        for notice in listener.notifies(timeout=1.0):
                            self._noticed(notice.channel, notice.payload)
            except psycopg.OperationalError as error:
                self._away("listening", error)
                self._stop.wait(1.0)

    def _noticed(self, channel: str, payload: str) -> None:
        if channel == queue.QUEUED:
            self._wake.set()
            return
        with self._guard:
            held = [attempt for claim, attempt in self._running.values() if str(claim.build_id) == payload]
        for attempt in held:
            attempt.cancel()

    def _drain(self, seconds: float) -> None:
        """Wait for running builds; what is not done by then stops here and goes back to the queue at once."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._guard:
                if not self._running:
                    return
            time.sleep(0.1)
        with self._guard:
            held = dict(self._running)
        for _, attempt in held.values():
            attempt.abandon()
        time.sleep(1.0)
        try:
            queue.hand_back(self.name, held)
        except (OperationalError, InterfaceError) as error:
            self._away("handing builds back", error)  # their leases run out instead

    def _away(self, what: str, error: Exception) -> None:
        self._last_outage = time.monotonic()
        text = str(error).strip().splitlines()
        log.warning("database away while %s: %s", what, text[0] if text else error)
        close_old_connections()
