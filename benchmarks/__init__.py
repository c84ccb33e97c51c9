"""Measurements of the factory beside the numbers to reach and beside a peer; `python -m benchmarks` runs them."""
