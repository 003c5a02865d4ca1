"""Where slices of objectives come from that our own lanes do not count: a Prometheus, and whoever pushes."""
