"""The production policy, and others' rules, over a fluid model of a pipeline."""
