"""What the functions share; it knows none of them."""
