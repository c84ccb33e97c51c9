"""Talking to identity providers: where they may live, fetching from them, and their signed tokens."""
