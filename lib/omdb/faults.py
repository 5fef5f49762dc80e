"""What is wrong with an answer of OMDb's, or with what was asked of it."""

from lib.errors import InvalidRequest, OmdbAnswerUnusable, OmdbMovieNotFound


class OmdbIdMalformed(OmdbMovieNotFound):
    """OMDb does not take this for an id that a title can have."""


class OmdbDataMissing(OmdbMovieNotFound):
    """OMDb cannot get the data of this title; on another day it may."""


class OmdbTombstone(OmdbMovieNotFound):
    """OMDb holds only the empty shell of a duplicate under this id."""


class OmdbAnswerUnreadable(OmdbAnswerUnusable):
    """OMDb holds this title's data in a form that breaks its own JSON."""


class OmdbSearchRefused(InvalidRequest):
    """OMDb cannot search for this text."""


class OmdbTooManyResults(OmdbSearchRefused):
    """The text is too short or too broad for OMDb to search for."""
