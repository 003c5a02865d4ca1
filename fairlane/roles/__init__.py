"""What `fairlane serve ROLE` runs: each role built from the settings, framed by signals, logs, health and exit codes."""
