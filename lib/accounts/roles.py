"""What a user may be, from the least to the most."""

from typing import Final

from lib.errors import InvalidRequest

ROLES: Final = ("viewer", "editor", "admin")


def check_role(role: object) -> None:
    """Raise `InvalidRequest` for what is no role."""
    if role not in ROLES:
        expected = f"expected one of {', '.join(ROLES)}"
        raise InvalidRequest(f"The role is not accepted: {expected}.", fields={"role": expected})
