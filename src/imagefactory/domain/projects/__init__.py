"""Projects: what is built, from where, with which credentials."""
