"""OpenSLO v1 documents in: read, checked with path and reason, made into objectives. Specification: github.com/OpenSLO/OpenSLO."""
