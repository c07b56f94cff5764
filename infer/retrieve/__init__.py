"""Retrieval: indexes over the names of a base."""
