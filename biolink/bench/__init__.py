"""Benchmarks of whole systems: partial-KB inference."""
