"""Where bytes live: the ObjectStore interface and its implementations."""
