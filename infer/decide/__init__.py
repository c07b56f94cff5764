"""Deciding: whether the links of a mention stand, or the mention is NIL."""
