"""Structural commands: each is a plan and an apply."""
