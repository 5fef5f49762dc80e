"""Bulk import: the database is its ledger, and killing it at any moment loses nothing.

- `orders`: what can be asked for, and what makes two requests the same
- `opening`: an order becomes an import, once
- `ledger`, `statements`: the rows: imports and their items, leased, settled, given back
- `choosing`: what a tick could do
- `judging`: what a fetch's outcome means for its item
- `pace`: how many calls at once; the breaker
- `fetching`: the threads that fetch movies
- `feeding`: pages of a search and stale movies, listed as a run needs them
- `hand`: what a run has leased, and whose fault is in doubt
- `running`, `ending`: one run over one import, and how it ended
- `service`: an order or a tick from beginning to end
- `reports`: how far an import is
- `stopping`: deadlines and SIGTERM
"""
