"""The runner helper: one process of standard library Python that prepares, starts, watches and removes
jails.
"""
