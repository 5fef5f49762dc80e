"""What a user may be, from the least to the most."""

from typing import Final

ROLES: Final = ("viewer", "editor", "admin")
