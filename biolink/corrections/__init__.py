"""Corrections: what people decided about mentions, act by act."""
