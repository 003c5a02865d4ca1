"""SLA months: put together, signed, kept, published."""
