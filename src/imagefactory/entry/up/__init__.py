"""How the factory starts on one machine: the table of processes, their configuration, their supervisor, and
doctor.
"""
