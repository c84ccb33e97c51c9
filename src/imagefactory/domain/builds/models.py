"""Tables of builds, executions, stages, usage, the queue's tenants and the dispatcher hosts."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from imagefactory.domain.builds.states import (
    BuildStatus,
    ExecutionStatus,
    Queue,
    StageStatus,
)
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.models import Entity


class BuildQuerySet(models.QuerySet["Build"]):
    def visible_to(self, actor: Actor) -> BuildQuerySet:
        """Only builds of projects in which this actor holds `build:view`."""
        rows = self.filter(project__deleted_at=None)
        if actor.kind is ActorKind.SYSTEM:
            return rows
        rows = rows.filter(tenant_id=actor.tenant)
        within = actor.projects_with("build:view")
        return rows if within is None else rows.filter(project_id__in=within)


class Build(Entity):
    """One asked-for build. `rank` orders the queue of its tenant: class first, then priority."""

    # No index of their own: those below begin with them, and every change of state writes every index.
    tenant = models.ForeignKey("identity.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=[(s.value, s.value) for s in BuildStatus])
    method = models.CharField(max_length=20)
    manifest = models.JSONField()
    # Which of the manifest's fields were asked for, and which came from the project; null: all were asked for.
    origins = models.JSONField(null=True)
    # The project's source at the time of submission, so that a later change of settings does not change this build.
    source = models.JSONField(default=dict)
    queue = models.CharField(max_length=12, default=Queue.INTERACTIVE, choices=[(q.value, q.value) for q in Queue])
    rank = models.SmallIntegerField(default=0)
    trigger = models.CharField(max_length=20, default="api")
    created_by_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    created_by_name = models.CharField(max_length=200)
    # Who asked for the newest attempt, with whose rights it reads base images; null in rows of before means who made it.
    started_by_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    idempotency_key = models.CharField(max_length=100, null=True)
    # SHA-256 of the whole request that came with the key; empty without one.
    request_digest = models.CharField(max_length=64, blank=True, default="")
    queued_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0)
    dispatch_failures = models.PositiveSmallIntegerField(default=0)
    wait_reason = models.CharField(max_length=400, blank=True)
    ref = models.CharField(max_length=260, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    commit_message = models.CharField(max_length=300, blank=True)
    failure = models.JSONField(default=dict)
    image = models.JSONField(default=dict)

    objects = BuildQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="builds_number_once"),
            models.UniqueConstraint(
                fields=["tenant", "created_by_id", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="builds_idempotency_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "-rank", "queued_at", "id"],
                name="builds_queue",
                condition=Q(status="queued"),
            ),
            models.Index(fields=["tenant", "-id"], name="builds_tenant_newest"),
            models.Index(fields=["tenant", "status", "-id"], name="builds_tenant_status"),
            models.Index(fields=["project", "-id"], name="builds_project_newest"),
            models.Index(fields=["project", "status", "-id"], name="builds_project_status"),
            models.Index(fields=["tenant", "created_by_id", "-id"], name="builds_by_person"),
            models.Index(fields=["tenant", "ref", "-id"], name="builds_by_ref"),
            models.Index(fields=["tenant", "method", "-id"], name="builds_by_method"),
            models.Index(fields=["tenant", "trigger", "-id"], name="builds_by_trigger"),
        ]


class BuildText(models.Model):
    """What a search for text looks through, in capitals: `words` of name and commit message, `codes` of commit and number.

    A table of its own, since its trigram index (`search.sql`) on the builds themselves would be written with every change
    of state, which tripled what a claim writes.
    """

    build = models.OneToOneField(Build, on_delete=models.CASCADE, primary_key=True, related_name="+")
    words = models.TextField()
    codes = models.TextField()

    @staticmethod
    def words_of(name: str, message: str) -> str:
        return f"{name}\n{message}".upper()

    @staticmethod
    def codes_of(commit: str, number: int) -> str:
        return f"@{commit} #{number} ".upper()


class Execution(Entity):
    """One attempt, held by a worker through a lease. `fence` rises with every claim; writes name it."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    attempt = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=[(s.value, s.value) for s in ExecutionStatus])
    fence = models.BigIntegerField(unique=True)
    worker = models.CharField(max_length=120)
    lease_until = models.DateTimeField()
    claimed_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=1000, blank=True)
    exit_code = models.IntegerField(null=True)
    isolation = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    log_lines = models.PositiveIntegerField(default=0)
    masked_values = models.PositiveIntegerField(default=0)
    progress = models.JSONField(default=dict)
    usage = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["build", "attempt"], name="builds_attempt_once")]
        indexes = [
            models.Index(fields=["lease_until"], name="builds_leases", condition=Q(status__in=["claimed", "running"]))
        ]


class Stage(Entity):
    """One stage of an execution; times and lines are the dispatcher's, never guessed from the log."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=20)
    status = models.CharField(
        max_length=10, default=StageStatus.WAITING, choices=[(s.value, s.value) for s in StageStatus]
    )
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    first_line = models.PositiveIntegerField(null=True)
    last_line = models.PositiveIntegerField(null=True)
    message = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["execution", "name"], name="builds_stage_once")]


class UsageSample(models.Model):
    """What an execution used, about once a second at first and thinner for long builds."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    cpu_ms = models.BigIntegerField()
    memory_bytes = models.BigIntegerField()
    disk_bytes = models.BigIntegerField()
    pids = models.IntegerField()
    io_read_bytes = models.BigIntegerField()
    io_write_bytes = models.BigIntegerField()
    net_in_bytes = models.BigIntegerField()
    net_out_bytes = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["execution", "id"], name="builds_usage_in_order")]


class TenantQueue(models.Model):
    """One row a tenant: the lock and the counters of its queue. Only `queue.py` and its SQL touch it."""

    tenant = models.OneToOneField("identity.Tenant", on_delete=models.CASCADE, primary_key=True, related_name="+")
    running = models.IntegerField(default=0)
    max_running = models.IntegerField()
    ready = models.BooleanField(default=False)
    ready_at = models.DateTimeField()
    turn = models.BigIntegerField(default=0)
    # No build of a paused tenant is claimed; set by a reaction from the tenant's state.
    paused = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(running__gte=0), name="builds_running_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["turn"],
                name="builds_turn",
                condition=Q(ready=True) & Q(paused=False) & Q(running__lt=models.F("max_running")),
            )
        ]


class Worker(models.Model):
    """A dispatcher host as it last reported itself."""

    name = models.CharField(max_length=120, primary_key=True)
    incarnation = models.UUIDField()
    slots = models.PositiveSmallIntegerField()
    running = models.PositiveSmallIntegerField(default=0)
    isolation = models.JSONField(default=dict)
    version = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
