"""How long things may take, and how these waits nest; how much is under way at once."""

# Pieces of work that one instance has under way at once, each in a thread of its own: most of them
# wait, for OMDb or for Postgres, and hold a connection for a part of their time only.
HANDLER_THREADS = 8
# How the waits of a request nest, in seconds. An equal question before its own (EQUAL), its turn
# (TURN for a thread, POOL on the event loop), the connection that is being warmed and a place in
# the pool (POOL each), a new connection (CLOUD_SQL) and an answer on it (SOCKET) stay below the
# time-out that a function has in ../terraform/functions.tf; movies_create also waits for OMDb
# (OMDB_CALL), and asks the database before its turn, in it, and after the call.
TURN_TIMEOUT = 3.0  # waiting in line before work is begun, beyond which a caller is told to return
EQUAL_TIMEOUT = 0.5  # waiting for the answer to an equal question, before one's own is put anyway
CONNECT_TIMEOUT = 5.0  # opening a database connection, TLS and login included
CLOUD_SQL_TIMEOUT = 10.0  # the same through the connector, which asks Google's API before it
SOCKET_TIMEOUT = 10.0  # one read from the database: above STATEMENT, below the function's own
POOL_TIMEOUT = 3.0  # waiting for a free connection
STATEMENT_TIMEOUT = 5.0  # one statement, told to Postgres
LOCK_TIMEOUT = 2.0  # waiting for a lock, told to Postgres
OMDB_CONNECT_TIMEOUT = 2.0  # opening a connection to OMDb
OMDB_READ_TIMEOUT = 4.0  # silence while an answer is on its way
OMDB_ATTEMPT_TIMEOUT = 6.0  # one attempt, from first to last byte
OMDB_CALL_TIMEOUT = 10.0  # all attempts and the pauses between them
HEAD_TIMEOUT = 10.0  # receiving what a request begins with, its headers
BODY_TIMEOUT = 10.0  # receiving a request's body
# A call of migrate: its turn at a step and at the rights, what is left to do, and at the end an
# index and others in the way. All of it stays below the function's own time-out.
MIGRATION_TIMEOUT = 60.0  # waiting for another's migration, or for others in what comes after it
WORK_TIMEOUT = 240.0  # beginning what is left to do after a migration; the next call goes on
INDEX_TIMEOUT = 420.0  # making one index, once it was begun
