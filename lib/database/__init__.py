"""Postgres: connections and their pool, statements, transactions, faults in our own terms."""
