"""Uploaded files, kept by the digest of their content."""
