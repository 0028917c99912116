"""The HTTP routes, one module per room they serve."""
