"""What OMDb's faults are to callers: codes and statuses for those that any source may have."""

from lib.catalogue.source import (
    AnswerUnreadable,
    AnswerUnusable,
    DataMissing,
    IdMalformed,
    KeyRefused,
    MovieUnknown,
    QuotaSpent,
    SearchRefused,
    SourceTimeout,
    SourceUnavailable,
    Tombstone,
)


class OmdbMovieNotFound(MovieUnknown):
    """OMDb knows no such movie."""

    code = "OMDB_MOVIE_NOT_FOUND"


class OmdbIdMalformed(OmdbMovieNotFound, IdMalformed):
    """OMDb does not take this for an id that a title can have."""


class OmdbDataMissing(OmdbMovieNotFound, DataMissing):
    """OMDb cannot get the data of this title; on another day it may."""


class OmdbTombstone(OmdbMovieNotFound, Tombstone):
    """OMDb holds only the empty shell of a duplicate under this id."""


class OmdbSearchRefused(SearchRefused):
    """OMDb cannot search for this text."""


class OmdbTooManyResults(OmdbSearchRefused):
    """The text is too short or too broad for OMDb to search for."""


class OmdbQuotaExceeded(QuotaSpent):
    """OMDb's daily quota is spent, or it takes no more calls for now."""

    status, code = 503, "OMDB_QUOTA_EXCEEDED"


class OmdbTimeout(SourceTimeout):
    """OMDb did not answer in time."""

    status, code = 504, "OMDB_TIMEOUT"


class OmdbUnavailable(SourceUnavailable):
    """OMDb did not give a usable answer."""

    status, code = 502, "OMDB_UNAVAILABLE"

    def __init__(self, message: str = "OMDb is not available: try again later") -> None:
        super().__init__(message)


class OmdbAnswerUnusable(OmdbUnavailable, AnswerUnusable):
    """OMDb answered, but what it said about this title cannot be read or trusted."""

    def __init__(self, why: str) -> None:
        super().__init__(f"OMDb's answer cannot be used: {why}")


class OmdbAnswerUnreadable(OmdbAnswerUnusable, AnswerUnreadable):
    """OMDb holds this title's data in a form that breaks its own JSON."""


class OmdbKeyRefused(OmdbUnavailable, KeyRefused):
    """OMDb refuses our API key: a misconfiguration, not a passing fault."""
