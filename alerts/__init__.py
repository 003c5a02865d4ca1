"""Prometheus rules and the Alertmanager configuration, written from the metric catalogue and the burn windows."""
