"""Retrieval: indexes over the names of a knowledge base."""
