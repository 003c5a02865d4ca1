"""One machine by default: a real single-node Kafka from pip alone, and one child process per role."""
