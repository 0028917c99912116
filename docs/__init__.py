"""Guides, decisions and generated references."""
