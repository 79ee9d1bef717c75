"""What `launch` and `connect` do once their arguments are read."""
