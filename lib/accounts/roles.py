"""What a user may be, from the least to the most."""

from typing import Final

from lib.errors import Forbidden, InvalidRequest

ROLES: Final = ("viewer", "editor", "admin")


def check_role(role: object) -> None:
    """Raise `InvalidRequest` for what is no role."""
    if role not in ROLES:
        expected = f"expected one of {', '.join(ROLES)}"
        raise InvalidRequest(f"The role is not accepted: {expected}.", fields={"role": expected})


def forbidden(message: str) -> Forbidden:
    """Make the refusal of whoever is known and may not do this (RFC 6750, section 3.1)."""
    return Forbidden(message, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
