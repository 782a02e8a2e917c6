"""Metadata, definitions and the version tree on a disk."""
