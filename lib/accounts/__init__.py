"""Users: letting them in, what they may do, and how strangers are kept from guessing."""
