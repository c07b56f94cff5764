"""Deciding whether the links of a mention are kept, or the mention is NIL."""
