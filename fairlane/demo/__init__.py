"""The demo: a real Kafka, thousands of tokens, one that floods, and an independent account of what happened."""
