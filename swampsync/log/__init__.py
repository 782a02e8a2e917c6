"""Commits and checkpoints of a namespace in an object store."""
