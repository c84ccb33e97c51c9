"""Answers to requests that carried an idempotency key."""
