"""What an upstream really supports, found out by a few small calls."""
