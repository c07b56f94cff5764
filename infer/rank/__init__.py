"""Ranking: from a mention to concepts, by generation, by similar names, or by both."""
