"""May this actor do this? Each answers True or the reason why not: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.policies.installation import may_change_installation as may_change_installation
from imagefactory.domain.identity.policies.installation import may_see_installation as may_see_installation
from imagefactory.domain.identity.policies.installation import no_longer_administrator as no_longer_administrator
from imagefactory.domain.identity.policies.permissions import is_entitled as is_entitled
from imagefactory.domain.identity.policies.permissions import may as may
from imagefactory.domain.identity.policies.permissions import may_act_as_person as may_act_as_person
from imagefactory.domain.identity.policies.permissions import may_manage_key as may_manage_key
from imagefactory.domain.identity.policies.permissions import require_capability as require_capability
from imagefactory.domain.identity.policies.tenants import may_change_tenant as may_change_tenant
from imagefactory.domain.identity.policies.tenants import may_end_tenant as may_end_tenant
from imagefactory.domain.identity.policies.tenants import may_take_export as may_take_export
