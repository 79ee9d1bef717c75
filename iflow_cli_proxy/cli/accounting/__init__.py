"""What the ledger says, asked and shown: behind `usage`."""
