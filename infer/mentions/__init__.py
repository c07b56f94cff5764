"""Mentions: how they are found, their boundaries, abbreviations, and hints to their meaning."""
