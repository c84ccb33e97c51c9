"""A real directory of the tests: OpenLDAP's slapd with TLS, in a process and a directory of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.parties.certificates import self_signed
from tests.parties.processes import free_port, running

BASE = "dc=example,dc=com"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "directory-admin"
PASSWORD = "a password in the directory"

ENTRIES = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: cn=nobody,{BASE}
objectClass: organizationalRole
cn: nobody
"""


@dataclasses.dataclass(frozen=True)
class Directory:
    """A running directory; `plain` is the port of ldap://, `tls` that of ldaps://."""

    plain: int
    tls: int
    authority: str

    @property
    def url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls}"

    def _client(self, *command: str, ldif: str = "") -> None:
        bind = ["-x", "-H", f"ldap://127.0.0.1:{self.plain}", "-D", ADMIN, "-w", ADMIN_PASSWORD]
        done = subprocess.run(
            [*command[:1], *bind, *command[1:]], input=ldif, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def add(self, ldif: str) -> None:
        self._client("ldapadd", ldif=ldif)

    def change(self, ldif: str) -> None:
        self._client("ldapmodify", ldif=ldif)

    def delete(self, dn: str) -> None:
        self._client("ldapdelete", dn)

    def add_person(self, uid: str, mail: str, name: str = "Some One", password: str = PASSWORD) -> str:
        """Add a person and return the name of their entry."""
        dn = f"uid={uid},ou=people,{BASE}"
        self.add(
            f"dn: {dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: One\nmail: {mail}\nuserPassword: {password}\n"
        )
        return dn

    def add_group(self, name: str, *members: str) -> str:
        """Add a groupOfNames and return the name of its entry."""
        dn = f"cn={name},ou=groups,{BASE}"
        lines = "".join(f"member: {m}\n" for m in members or (f"cn=nobody,{BASE}",))
        self.add(f"dn: {dn}\nobjectClass: groupOfNames\ncn: {name}\n{lines}")
        return dn

    def set_members(self, group: str, *members: str) -> None:
        lines = "".join(f"member: {m}\n" for m in members or (f"cn=nobody,{BASE}",))
        self.change(f"dn: {group}\nchangetype: modify\nreplace: member\n{lines}")

    def clear(self) -> None:
        """Remove all people and groups."""
        for ou in ("people", "groups"):
            found = subprocess.run(
                ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", f"ldap://127.0.0.1:{self.plain}", "-D", ADMIN, "-w",
                 ADMIN_PASSWORD, "-b", f"ou={ou},{BASE}", "-s", "one", "dn"],
                text=True, capture_output=True, check=True,
            )  # fmt: skip
            for line in found.stdout.splitlines():
                if line.startswith("dn: "):
                    self.delete(line.removeprefix("dn: "))


def _configuration(place: Path, key: Path, cert: Path) -> str:
    schemas = "".join(f"include /etc/ldap/schema/{s}.schema\n" for s in ("core", "cosine", "inetorgperson", "nis"))
    return f"""{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {place}/slapd.pid
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
maxsize 67108864
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {ADMIN_PASSWORD}
directory {place}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


@contextlib.contextmanager
def directory(place: Path) -> Iterator[Directory]:
    """Run an empty directory."""
    (place / "data").mkdir(parents=True)
    key, cert = self_signed(place, "localhost")
    configuration = place / "slapd.conf"
    configuration.write_text(_configuration(place, key, cert))
    plain, tls = free_port(), free_port()
    slapd = shutil.which("slapd", path="/usr/sbin:/usr/lib/openldap:/usr/bin")
    assert slapd is not None, "slapd is not installed; scripts/bootstrap.sh test installs it"
    command = [
        slapd, "-h", f"ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}", "-f", str(configuration), "-d", "0",
    ]  # fmt: skip
    with running(command, tls, log=place / "slapd.log"):
        made = Directory(plain, tls, cert.read_text())
        made.add(ENTRIES)
        yield made
