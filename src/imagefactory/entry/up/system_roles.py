"""Grants, revokes and lists system roles in the database itself: how the first administrator is made.

Run as a process of its own, as the service user: `python -m imagefactory.entry.up.system_roles grant EMAIL ROLE REASON USER`.
"""

from __future__ import annotations

import os
import sys

NOT_FOUND, REFUSED = 4, 3


def grant_or_revoke(action: str, email: str, role: str, reason: str, who: str) -> int:
    """Do it and say so; return the exit status. `who` is the operating system's user, for the audit trail."""
    from imagefactory.domain.identity import selectors, services
    from imagefactory.domain.identity.permissions import SYSTEM_ROLE_NAMES, SystemRole
    from imagefactory.kernel.actor import system
    from imagefactory.kernel.errors import FactoryError

    if role not in set(SystemRole):
        sys.stderr.write(f"There is no system role {role}. There are {', '.join(SystemRole)}.\n")
        return 2
    person = selectors.person_by_email(email)
    if person is None:
        sys.stderr.write(f"Nobody has an account with the e-mail address {email}. They sign up first.\n")
        return NOT_FOUND
    act = services.grant_system_role if action == "grant" else services.revoke_system_role
    try:
        news = act(system(f"cli ({who})"), person.id, SystemRole(role), reason=reason)
    except FactoryError as error:
        sys.stderr.write(error.message + "\n")
        return REFUSED
    name = SYSTEM_ROLE_NAMES[SystemRole(role)].lower()
    had = {"grant": "has the role already", "revoke": "does not have the role"}[action]
    done = {"grant": f"is {name} now", "revoke": f"is no {name} any more"}[action]
    sys.stdout.write(f"{person.email} {done if news else f'{had}; nothing was changed'}.\n")
    return 0


def show() -> int:
    """Write who holds which system role, a person a line."""
    from imagefactory.domain.identity import selectors
    from imagefactory.kernel.actor import system

    rows, _, _ = selectors.all_people(system("cli"), role="any", limit=1000)
    for p in rows:
        sys.stdout.write(f"{p.email}\t{', '.join(p.system_roles)}\t{'active' if p.active else 'suspended'}\n")
    if not rows:
        sys.stdout.write("Nobody holds a system role. Make the first: imagefactory admin grant EMAIL administrator\n")
    return 0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagefactory.settings.django")
    import django
    from django.db import OperationalError, ProgrammingError

    django.setup()
    try:
        return show() if sys.argv[1] == "list" else grant_or_revoke(*sys.argv[1:6])
    except (OperationalError, ProgrammingError) as error:
        said = str(error).strip().splitlines()[0]
        sys.stderr.write(f"The database cannot be used: {said}. Start the factory with `imagefactory up` first.\n")
        return 6


if __name__ == "__main__":
    sys.exit(main())
