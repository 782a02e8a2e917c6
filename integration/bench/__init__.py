"""Benchmarks: `python -m integration.bench [NAME …]`."""
