"""Signing in: everything that django-allauth does for the pages is wrapped here, and its own pages are mounted nowhere."""
