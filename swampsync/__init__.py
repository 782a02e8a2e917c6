"""Many git repos, one team datastore."""
