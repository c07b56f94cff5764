"""What people decided about mentions, and how linking follows it without any training."""
