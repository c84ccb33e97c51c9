"""The runner helper: the one privileged process. It prepares a jail for each build, and knows nothing else."""
