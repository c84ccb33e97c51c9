"""Lists of passwords that are known to others."""
