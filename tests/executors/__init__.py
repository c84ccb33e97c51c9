"""Tests of the executors and the runner helper, with real jails."""
