"""Conformance suites, fakes and fault injectors, for our tests and for those of others."""
