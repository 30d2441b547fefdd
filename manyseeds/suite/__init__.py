"""Suites: recipes and claims as frozen data, and how they are read from TOML."""
