"""Many documents: worker processes, folders of shards, and clusters."""
