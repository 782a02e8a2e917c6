"""Leases: what guards a namespace or a model while it is changed."""
