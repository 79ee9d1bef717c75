"""iflow2api: the accounts a person has, served as one endpoint. Importing this package costs nothing."""

__version__ = "0.1.0"
