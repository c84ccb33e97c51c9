"""Environment to Django names; no logic of its own."""
