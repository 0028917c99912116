"""Emerging reasons: groups of tickets that the known contact reasons do not cover."""
