"""The function movies_list as it is deployed, but for the address of Google's Admin API.

The connector takes that from no environment variable; for all else Google's own serve.
"""

import functools
import os

from lib.database import database

database.Database = functools.partial(  # type: ignore[assignment,misc]
    database.Database,
    connector_options={"sqladmin_api_endpoint": os.environ["STAND_IN_ENDPOINT"]},
)

from functions.movies_list.main import movies_list  # noqa: E402, F401
