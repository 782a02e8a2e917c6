"""Sync: between a bucket's log and this clone's databases and local copy."""
