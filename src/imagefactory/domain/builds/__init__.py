"""Builds: submitted, queued, claimed, run, finished; each attempt is an execution with stages, log and usage."""
