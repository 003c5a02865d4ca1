"""What crosses a process boundary: names, headers, records, telemetry and routes, all versioned.

The only part of `ingestion` that the control plane may import.
"""
