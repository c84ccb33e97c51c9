"""Django's PostgreSQL backend with one addition: every statement runs in the scope of `kernel/scope`."""
