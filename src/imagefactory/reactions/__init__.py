"""What follows from what happened: one table from events to reactions."""
