"""Push, pull, hydrate, status."""
