"""Benchmarks of whole systems beside published figures: partial-KB inference, MedMentions."""
