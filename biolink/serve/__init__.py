"""The service: one loaded linker behind HTTP, in the forms that clients and agents speak."""
