"""The local SQLite databases: swamp's catalog and our own state."""
