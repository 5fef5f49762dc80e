"""HTTP: from a request to values, from values to an answer, and what is logged of both."""
