"""The built-in pager: the same alerts where there is no Prometheus, delivered once from an outbox in the database."""
