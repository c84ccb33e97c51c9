"""Every setting of the factory, declared once: name, type, default and a sentence. No framework, no side effects."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "IMAGEFACTORY_"

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """All that is wrong with the settings, one sentence a problem, told together so that one restart mends them all."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def default_data_dir() -> Path:
    """Where state lives when nothing is said: a system directory for root, the XDG data directory otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/imagefactory")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return Path(base) / "imagefactory"


class Settings(BaseSettings):
    """The factory's settings, read from `IMAGEFACTORY_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="The one directory that holds all state: database, registry, logs, keys. Back it up as a whole.",
    )
    database_url: str = Field(
        "",
        description="postgresql:// address of a PostgreSQL 15 or newer. Empty: the embedded one in the data directory.",
    )
    database_system_url: str = Field(
        "",
        description="With a PostgreSQL of your own: the address of the role with BYPASSRLS that the jobs and the dispatcher "
        "use. Empty: as `database_url`, without the second wall between tenants.",
    )
    database_owner_url: str = Field(
        "",
        description="With a PostgreSQL of your own: the address of the role that owns the tables, for `migrate`. Empty: as "
        "`database_url`, without the second wall between tenants.",
    )
    public_url: str = Field(
        "http://localhost:3000",
        description="The address that people and container clients use. Its host and port are part of image names.",
    )
    bind: str = Field(
        "127.0.0.1", description="The address that the front door listens on. 0.0.0.0 serves the network."
    )
    listen_port: Port | None = Field(
        None,
        description="The port that the front door listens on, when it is not the public address's own: behind a proxy "
        "that ends TLS.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM file with the certificate chain that the front door shows, for an https public address.",
    )
    tls_key: Path | None = Field(None, description="PEM file with the private key of the certificate.")
    sign_up: Literal["open", "approval", "closed"] = Field(
        "open",
        description="Who may create an account and a tenant without an invitation. open: everyone. approval: everyone, and "
        "an administrator approves the tenant before anything can be changed in it. closed: nobody.",
    )
    support_address: str = Field(
        "",
        description="E-mail address of whoever runs this installation. Refusals that an administrator can lift name it; "
        "empty: they name the administrators.",
    )
    deletion_grace_days: int = Field(
        14,
        ge=0,
        le=365,
        description="Days between the deletion of a tenant and its removal, in which it can be stopped.",
    )
    export_days: int = Field(7, ge=1, le=90, description="Days that the export of a tenant can be downloaded.")
    max_export_mib: int = Field(4096, ge=1, le=102_400, description="Size of the export of a tenant in MiB, at most.")
    confirm_email: Literal["auto", "required", "off"] = Field(
        "auto",
        description="Whether a new account can do anything before its e-mail address is confirmed. auto: required when a "
        "mail server is set, else off.",
    )
    breached_passwords: Path | None = Field(
        None,
        description="File of SHA-1 hashes of passwords from breaches, ordered by hash, one `HASH:COUNT` a line (the "
        "download of Pwned Passwords). Passwords in it are refused; nothing is asked over the network. Empty: no such list.",
    )
    session_idle_hours: int = Field(
        24,
        ge=1,
        le=8760,
        description="Hours without use after which a sign-in ends, in the browser and through the API.",
    )
    session_days: int = Field(14, ge=1, le=365, description="Days after which a sign-in ends, however much it is used.")
    secret_keys: str = Field(
        "",
        description="Comma-separated Fernet keys for secrets at rest, newest first. Empty: one is made in the data "
        "directory and kept there with mode 0600.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much each process logs.")

    web_workers: int = Field(2, ge=1, le=64, description="Web processes; one for each core is a good number.")
    web_threads: int = Field(4, ge=1, le=64, description="Threads in each web process.")

    worker_name: str = Field(
        "", description="The name of this dispatcher host in the record of a build. Empty: the host's name."
    )
    worker_slots: int = Field(2, ge=1, le=128, description="Builds that this dispatcher runs at the same time.")
    drain_seconds: int = Field(
        20, ge=0, le=3600,
        description="Seconds that a stopping dispatcher waits for running builds; then they go back to the queue.",
    )  # fmt: skip
    tenant_slots: int = Field(4, ge=1, le=10_000, description="Builds of one tenant that may run at once, everywhere.")
    lease_seconds: int = Field(
        45,
        ge=5,
        le=600,
        description="Seconds after a dispatcher's last heartbeat until its builds are given to another.",
    )
    max_attempts: int = Field(
        3,
        ge=1,
        le=10,
        description="How often a build is started again after its worker was lost, before it fails.",
    )

    push_attempts: int = Field(
        8,
        ge=1,
        le=50,
        description="How often a built image is pushed while the registry does not answer, 5 to 60 seconds apart.",
    )

    executor: Literal["local", "fake"] = Field(
        "local",
        description="local: builds run on this machine in jails. fake: nothing runs; for trying things out.",
    )
    build_isolation: Literal["auto", "jail", "degraded"] = Field(
        "auto",
        description="auto: the jail where root or sudo works, else degraded, loudly. jail: refuse to start and to build "
        "without it. degraded: fewer walls and no network, even as root; no boundary against hostile code.",
    )
    build_network: Literal["none", "registry", "open"] = Field(
        "open",
        description="What a build step may reach: nothing, this factory's registry, or the internet but not this host.",
    )
    build_cpus: float = Field(2.0, ge=0.1, le=256, description="Cores of one build, unless its manifest asks for less.")
    build_memory_mib: int = Field(2048, ge=64, le=1_048_576, description="Memory of one build in MiB, at most.")
    build_disk_mib: int = Field(8192, ge=128, le=1_048_576, description="Disk of one build in MiB, at most.")
    build_pids: int = Field(1024, ge=32, le=100_000, description="Processes of one build, at most.")
    build_timeout_seconds: int = Field(3600, ge=5, le=86_400, description="Run time of one build in seconds, at most.")
    max_context_mib: int = Field(
        1024, ge=1, le=102_400, description="Size of a build's source after unpacking, in MiB."
    )
    max_log_mib: int = Field(
        256,
        ge=1,
        le=10_240,
        description="Log of one attempt in MiB; what comes after is dropped, and the log says so.",
    )
    allowed_git_hosts: str = Field(
        "",
        description="Comma-separated host names that repositories may live on. Empty: any host outside this machine and private networks.",
    )
    identity_hosts: str = Field(
        "",
        description="Comma-separated host names that identity providers may live on; one that stands here may also lead to "
        "this machine or a private network. Empty: any host outside this machine, and in private networks only for "
        "providers that administrators set up.",
    )
    directory_check_minutes: int = Field(
        15, ge=1, le=1440,
        description="Minutes between two looks into each directory (LDAP): people who left it are signed out then.",
    )  # fmt: skip
    allow_file_sources: bool = Field(
        False,
        description="Whether file:// repositories below `source_root` may be built. Off: a tenant could read the host.",
    )
    source_root: Path = Field(Path("/srv/git"), description="The directory that file:// repositories must lie in.")

    audit_days: int = Field(
        0, ge=0, le=36_500,
        description="Days that the audit trail is kept. A month goes as a whole, once all of it is older, and `imagefactory "
        "audit verify` still checks what is left. 0 keeps everything; at least 31 otherwise.",
    )  # fmt: skip
    mail_host: str = Field(
        "", max_length=253,
        description="Host name of the mail server (SMTP) that takes the factory's e-mails. Empty: no e-mail is sent.",
    )  # fmt: skip
    mail_port: Port | None = Field(
        None, description="Port of the mail server. Empty: 587 with starttls, 465 with tls, 25 with none."
    )
    mail_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls or tls: encrypted, and the server's certificate must fit its name. none: in the clear, for "
        "a server on this machine.",
    )
    mail_user: str = Field("", description="User name at the mail server. Empty: it is used without signing in.")
    mail_password: str = Field("", repr=False, description="Password of the user at the mail server.")
    mail_password_file: Path | None = Field(
        None, description="File that holds the password, in place of `mail_password`; read when a mail is sent."
    )
    mail_ca_file: Path | None = Field(
        None,
        description="PEM file with the certificate authority of the mail server, trusted besides the system's own.",
    )
    mail_from: str = Field(
        "",
        description="The address that e-mails come from, such as factory@example.com. Empty: imagefactory@ and the "
        "host of the public address.",
    )

    helper_socket: Path | None = Field(
        None, description="Socket of the runner helper. Empty: run/helper.sock in the data directory."
    )

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("must be http:// or https:// with a host and, if needed, a port, and nothing behind it")
        return value.rstrip("/")

    @field_validator("support_address")
    @classmethod
    def _support_address(cls, value: str) -> str:
        name, at, host = value.partition("@")
        if value and not (name and at and host and value.isascii() and value.isprintable() and " " not in value):
            raise ValueError("must be an e-mail address such as support@example.com, or empty")
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, value: str) -> str:
        if value and not re.fullmatch(r"[!-~]+@[!-~]+", value):
            raise ValueError("must be one e-mail address, such as factory@example.com")
        return value

    @field_validator("database_url", "database_system_url", "database_owner_url")
    @classmethod
    def _database_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"postgresql", "postgres"}:
            raise ValueError("must start with postgresql://, or be empty for the embedded database")
        return value

    @model_validator(mode="after")
    def _together(self) -> Settings:
        """Check what several settings say together; all that is wrong is told at once."""
        found = []
        if not self.data_dir.is_absolute():
            found.append("IMAGEFACTORY_DATA_DIR must be an absolute path")
        if 0 < self.audit_days < 31:
            found.append("IMAGEFACTORY_AUDIT_DAYS must be 0, which keeps everything, or at least 31")
        if (self.database_system_url or self.database_owner_url) and not self.database_url:
            found.append(
                "IMAGEFACTORY_DATABASE_SYSTEM_URL and IMAGEFACTORY_DATABASE_OWNER_URL go with IMAGEFACTORY_DATABASE_URL; the "
                "embedded database has roles of its own"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            found.append("IMAGEFACTORY_TLS_CERTIFICATE and IMAGEFACTORY_TLS_KEY go together; set both or none")
        if self.public_url.startswith("https://") and not (self.tls_certificate or self.listen_port):
            found.append(
                "the public address is https, so either set IMAGEFACTORY_TLS_CERTIFICATE and IMAGEFACTORY_TLS_KEY, or "
                "let a proxy end TLS and set IMAGEFACTORY_LISTEN_PORT to the port that it forwards to"
            )
        found += self._mail_problems()
        if found:
            raise ValueError("\n".join(found))
        return self

    def _mail_problems(self) -> list[str]:
        found = []
        if self.mail_password and self.mail_password_file:
            found.append("IMAGEFACTORY_MAIL_PASSWORD and IMAGEFACTORY_MAIL_PASSWORD_FILE say the same; set one of them")
        if self.mail_user and not (self.mail_password or self.mail_password_file):
            found.append("IMAGEFACTORY_MAIL_USER needs IMAGEFACTORY_MAIL_PASSWORD or IMAGEFACTORY_MAIL_PASSWORD_FILE")
        if self.mail_user and self.mail_security == "none":
            found.append(
                "IMAGEFACTORY_MAIL_SECURITY is none, so the password would go over the network in the clear; set it to "
                "starttls or tls, or leave IMAGEFACTORY_MAIL_USER empty"
            )
        return found

    @property
    def has_mail(self) -> bool:
        """Whether a mail server is set."""
        return bool(self.mail_host)

    @property
    def confirms_email(self) -> bool:
        """Whether new accounts confirm their e-mail address first."""
        return self.confirm_email == "required" or (self.confirm_email == "auto" and self.has_mail)

    @property
    def host(self) -> str:
        """The registry name that stands in image references: host, with the port where it is not the scheme's own."""
        return urlsplit(self.public_url).netloc

    @property
    def port(self) -> int:
        """The port that the front door listens on."""
        parts = urlsplit(self.public_url)
        if self.listen_port is not None:
            return self.listen_port
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def mail_sender(self) -> str:
        """The address that e-mails come from."""
        return self.mail_from or f"imagefactory@{urlsplit(self.public_url).hostname}"

    @property
    def run_dir(self) -> Path:
        """Sockets, process ids and generated configuration; nothing in it outlives `down`."""
        return self.data_dir / "run"

    @property
    def helper(self) -> Path:
        return self.helper_socket or self.run_dir / "helper.sock"


def _sentences(error: dict[str, Any]) -> list[str]:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return [f"{one}." for one in message.splitlines()]
    field = str(error["loc"][0])
    description = Settings.model_fields[field].description if field in Settings.model_fields else None
    return [f"{PREFIX}{field.upper()}: {message}.{f' ({description})' if description else ''}"]


def read() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError with every problem at once.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
        problems = [sentence for e in error.errors() for sentence in _sentences(dict(e))]
    # What several settings say together is looked at only when each is right by itself: so the wrong ones are left out.
    try:
        Settings(**{name: Settings.model_fields[name].get_default(call_default_factory=True) for name in wrong})
    except ValidationError as error:
        problems += [sentence for e in error.errors() if not e["loc"] for sentence in _sentences(dict(e))]
    raise SettingsError(list(dict.fromkeys(problems)))


@functools.cache
def get() -> Settings:
    """Return this process's settings, read once."""
    return read()
