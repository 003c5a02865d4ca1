"""Grafana dashboards from the metric catalogue: grafanalib behind our own panel helpers and a finishing pass."""
