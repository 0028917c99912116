"""Fitted artefacts: bundle layout, trust, registry and cards. Knows bytes and figures, not classifiers."""
