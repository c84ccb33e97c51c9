"""The real web, stream and worker processes behind the real front door, with a few pages that use every script."""
