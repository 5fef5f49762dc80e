"""`./dev restore-drill`: whether a copy of the database is one, and the service runs on it."""
