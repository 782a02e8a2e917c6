"""Queries: CEL text to a tree, to SQL, and the rest evaluated row by row."""
