"""As much of PromQL as our alert rules are written in: the built-in pager evaluates the very expressions that Prometheus would."""
