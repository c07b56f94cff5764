"""Mentions: finding them, their boundaries, abbreviations and what else says what they mean."""
