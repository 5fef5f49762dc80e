"""What the database is made of: migrations, and the rights of the functions' roles."""
