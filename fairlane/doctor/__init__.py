"""`fairlane doctor`: looks at a cluster and a configuration before first use, and says what to change."""
