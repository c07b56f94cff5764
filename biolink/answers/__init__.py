"""What the service, the agents' tools and tables ask of a linker, as plain functions over one."""
