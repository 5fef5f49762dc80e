"""Answer like OMDb over real films, on this machine and without a key of OMDb's."""

from local.demo_omdb.server import DemoOmdb

__all__ = ["DemoOmdb"]
