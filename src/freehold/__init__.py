"""Freehold: rented models today, owned AI tomorrow."""

__version__ = "0.1.0"
