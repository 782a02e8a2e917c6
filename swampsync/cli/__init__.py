"""The command line: flags, prompts, tables, JSON, exit codes."""
