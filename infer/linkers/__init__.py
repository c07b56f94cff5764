"""Linkers, which take documents and return them with ranked links."""
