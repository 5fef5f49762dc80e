"""Cloud SQL without Google: what the connector talks to, and how it may fail."""
