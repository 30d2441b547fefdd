"""The ledger: what a run promised and what it delivered, on disk."""
