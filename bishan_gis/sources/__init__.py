"""The only readers, the only network access."""
