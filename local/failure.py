"""What a person at the terminal is told when something cannot go on."""


class Failure(Exception):
    """An expected failure; the message is one line that says what is wrong and what to do."""
