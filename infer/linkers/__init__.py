"""Linkers: documents in, documents with ranked links out."""
