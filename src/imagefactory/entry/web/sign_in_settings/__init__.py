"""Pages where owners and administrators say how people and CI jobs sign in."""
