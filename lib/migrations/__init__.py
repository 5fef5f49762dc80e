"""Schema migrations; `runner` applies them."""
