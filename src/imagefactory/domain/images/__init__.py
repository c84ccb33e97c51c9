"""Images: what is in the registry, under which names, and who may pull or push it."""
