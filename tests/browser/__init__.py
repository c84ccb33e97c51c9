"""Pages, seen by a browser."""
