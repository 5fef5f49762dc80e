"""What the functions say about themselves, as one OpenAPI document; never deployed."""
