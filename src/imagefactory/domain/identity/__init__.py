"""People, tenants, roles and keys: who someone is and what they may do."""
