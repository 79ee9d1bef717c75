"""What `upstream` does once its arguments are read."""
