"""May this actor do this? Each answers True or the reason why not: one file for each subject."""

from __future__ import annotations

from imagefactory.domain.identity.policies.installation import may_change_installation as may_change_installation
from imagefactory.domain.identity.policies.installation import may_see_installation as may_see_installation
from imagefactory.domain.identity.policies.installation import no_longer_administrator as no_longer_administrator
from imagefactory.domain.identity.policies.keys import may_clear_networks as may_clear_networks
from imagefactory.domain.identity.policies.keys import may_hand_out as may_hand_out
from imagefactory.domain.identity.policies.keys import may_manage_account as may_manage_account
from imagefactory.domain.identity.policies.keys import may_manage_key as may_manage_key
from imagefactory.domain.identity.policies.keys import may_mint_ci_key as may_mint_ci_key
from imagefactory.domain.identity.policies.keys import may_oversee_keys as may_oversee_keys
from imagefactory.domain.identity.policies.keys import may_rule_keys as may_rule_keys
from imagefactory.domain.identity.policies.keys import may_see_account as may_see_account
from imagefactory.domain.identity.policies.keys import may_set_networks as may_set_networks
from imagefactory.domain.identity.policies.providers import may_manage_providers as may_manage_providers
from imagefactory.domain.identity.policies.rights import is_entitled as is_entitled
from imagefactory.domain.identity.policies.rights import may as may
from imagefactory.domain.identity.policies.rights import may_act_as_person as may_act_as_person
from imagefactory.domain.identity.policies.rights import require_capability as require_capability
from imagefactory.domain.identity.policies.sign_in import may_manage_sign_in as may_manage_sign_in
from imagefactory.domain.identity.policies.tenants import may_change_tenant as may_change_tenant
from imagefactory.domain.identity.policies.tenants import may_end_tenant as may_end_tenant
from imagefactory.domain.identity.policies.tenants import may_take_export as may_take_export
