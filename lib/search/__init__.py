"""How films are found: by words, people and what they are; by chance; and what is near a title."""
