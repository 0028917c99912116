"""Speed and quality, measured; results are committed under ``benchmarks/results``."""
