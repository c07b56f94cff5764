"""Linking many documents: worker processes, folders of shards, and clusters."""
