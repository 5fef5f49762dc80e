"""`./dev user`: users from a terminal, with the rights of whom the environment names."""

from lib.accounts import login
from lib.database.settings import DatabaseSettings
from lib.database.transactions import TransactionalDatabase
from lib.errors import NotFound, ServiceError
from lib.settings import require
from local.environment import prepare
from local.failure import Failure
from local.migrating import bring_up_to_date, cause


def clear(username: str, address: str | None) -> None:
    """Forget a user's failed logins, let them in from an address if one is named, and say so."""
    with prepare() as environment:
        if environment.postgres:
            bring_up_to_date(environment)
        database = TransactionalDatabase(require(DatabaseSettings, environment.variables))
        try:
            cleared = login.clear_failures(database, username=username, address=address)
        except NotFound as error:
            raise Failure(f"there is no user {username!r}") from error
        except ServiceError as error:
            raise Failure(f"nothing was cleared: {error}{cause(error)}") from error
        finally:
            database.close()
    print(_describe(username, cleared, address))


def _describe(username: str, cleared: int, address: str | None) -> str:
    forgot = f"Cleared {cleared:,} counters of" if cleared else "There were no"
    told = f"{forgot} failed logins of {username!r}; a wait of the network they come from stays"
    if address is None:
        return told
    return f"{told}, but from {address} they are let in whatever fails elsewhere"
