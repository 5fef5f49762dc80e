"""Movies: what they are, how they are stored, found, listed and merged; no source of them."""
