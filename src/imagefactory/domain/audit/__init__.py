"""The audit trail: one entry for each event, written by the relay, changed by nobody."""
