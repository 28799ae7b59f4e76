"""Choosing sites: the mathematics behind the location models."""
