"""biolink."""
