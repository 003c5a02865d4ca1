"""Who may do what, who did what: roles, keys, sessions, a proxy's identity headers, the audit log."""
