"""Ids out of the files that people have, in the layouts that such files really come in."""

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local import id_lists
from local.failure import Failure
from local.id_lists import IdList

ONE, TWO, THREE = "tt0111161", "tt0068646", "tt15239678"
# Our own rows in the layouts of IMDb's exports: of 2012, of lists since 2017, with and without
# ratings, of people, since 2024.
OLD = (
    '"position","const","created","modified","description","Title","Title type","Directors",'
    '"You rated","IMDb Rating","Runtime (mins)","Year","Genres","Num. Votes",'
    '"Release Date (month/day/year)","URL"\n'
    '"1","tt0111161","Thu Jun 14 00:00:00 2012","","","A film","Feature Film","Ada Brook","9",'
    '"7.7","124","2012","drama","1","2012-04-11","http://www.imdb.com/title/tt0111161/"\n'
)
WATCHLIST = (
    "Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,"
    "Runtime (mins),Year,Genres,Num Votes,Release Date,Directors,Your Rating,Date Rated\n"
    '1,tt0111161,2020-01-01,2020-01-01,"said ""see"" it,\nand soon","Ships, Sailing",Ships,'
    'https://www.imdb.com/title/tt0111161/,Movie,9.3,142,1994,"Drama, Crime",2,1994-10-14,A B,,\n'
    "2,tt0068646,2020-01-02,2020-01-02,,Ships 2,Ships 2,https://www.imdb.com/title/tt0068646/,"
    "TV Series,9.2,175,1972,Crime,1,1972-03-24,A B,10,2021-05-05\n"
)
RATINGS = (
    "Const,Your Rating,Date Rated,Title,URL,Title Type,IMDb Rating,Year\n"
    "tt0111161,10,2020-01-01,Ships,https://www.imdb.com/title/tt0111161/,Movie,9.3,1994\n"
    "tt0068646,9,2020-01-01,Ships 2,https://www.imdb.com/title/tt0068646/,Movie,9.2,1972\n"
)
BOTH = [ONE, TWO]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ids"


def read(file: Path, content: str | bytes) -> IdList:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return id_lists.read(file, most=1000)


@pytest.mark.parametrize(
    "line",
    [
        ONE,
        f"  {ONE}\t",
        f"{ONE},",
        f'"{ONE}",',
        f"'{ONE}'",
        f"“{ONE}”",
        f'="{ONE}"',
        f"{ONE}/",
        "TT0111161",
        f"{ONE} # seen, twice",
        f"{ONE}# seen",
        f"{ONE} Ships That Sailed (1994)",
        f"- {ONE}",
        f"https://www.imdb.com/title/{ONE}/",
        f"https://m.imdb.com/title/{ONE}/?ref_=nv_sr_1",
        f"http://imdb.com/title/{ONE}",
        f"imdb.com/de/title/{ONE}/",
        f"https://www.imdb.com/pt-br/title/{ONE}/#cast",
        f"www.imdb.com/title/{ONE}/reviews?sort=rating,desc",
        f"<https://www.imdb.com/title/{ONE}/>",
        f"- [Ships That Sailed](https://www.imdb.com/title/{ONE}/)",
        f"[12 Ships](<https://www.imdb.com/title/{ONE}/>)",
        f"Ships (1994) {{imdb-{ONE}}}",
        f"{{imdb-{ONE}}} Ships",
        f"Ships (1994) [imdbid-{ONE}]",
        f"[{ONE}]",
        f"[imdbid-{ONE}]",
        f"['{ONE}',",
        f"{ONE}: Ships",
        f"I saw {ONE}.",
        f"•{ONE}",
        f"imdb:{ONE}",
        f"imdb={ONE}",
        f"imdb://{ONE}",
        f"https://www.imdb.com:443/title/{ONE}/",
        f"https://www.imdb.com//title//{ONE}/",
        f"//www.imdb.com/title/{ONE}/",
        f"\u200e{ONE}\u200f",
        f"\u2068{ONE}\u2069,",
    ],
)
def test_an_id_is_found_however_it_is_written(file: Path, line: str) -> None:
    found = read(file, f"{TWO}\n{line}\n")
    assert (list(found.imdb_ids), found.unread) == ([TWO, ONE], 0)
    assert list(read(file, f"# mine\n\n{line}").imdb_ids) == [ONE]


@pytest.mark.parametrize(
    "line",
    [
        "tt12",
        "tt01111610000",
        "0111161",
        "nm0000138",
        "https://www.imdb.com/name/nm0000138/",
        "https://www.imdb.com/title/tt12/",
        "https://imdb.com.example/title/tt0111161/",
        "https://www.imdb.com/list/ls000000001/",
        "tt0111161x",
        "ximdb-tt0111161",
        "[Ships](https://imdb.com.example/title/tt0111161/)",
        "tt٠١١١١٦١",
        "Ships That Sailed",
    ],
)
def test_what_is_no_id_is_counted_and_shown_with_its_line(file: Path, line: str) -> None:
    found = read(file, f"# mine\n{ONE}\n{line}\n{ONE}\n")
    assert list(found.imdb_ids) == [ONE]
    assert (found.unread, found.repeated) == (1, 1)
    assert found.shown == [f"line 3: {line}"]


def test_a_line_of_several_ids_gives_all_of_them(file: Path) -> None:
    found = read(file, f"{ONE}, {TWO}; tt12\n{THREE} {ONE}\n")
    assert list(found.imdb_ids) == [ONE, TWO, THREE]
    assert (found.repeated, found.shown) == (1, [f"line 1: {ONE}, {TWO}; tt12"])
    assert read(file, f"I saw {ONE}. Then {TWO}!\n").unread == 1


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (OLD, [ONE]),
        (WATCHLIST, BOTH),
        (WATCHLIST.partition("\n")[2], BOTH),
        (RATINGS, BOTH),
        (RATINGS.partition("\n")[2], BOTH),
        ("Title,Year,IMDb ID\n#Ships,1994,tt0111161\n", [ONE]),
        ("imdb_id|title\ntt0111161|Ships\n", [ONE]),
        ("Title,URL\nShips,https://www.imdb.com/title/tt0111161/\n", [ONE]),
        ("LetterboxdURI,imdbID,Title\nhttps://boxd.it/a,tt0111161,Ships\n", [ONE]),
        ("movieId,imdbId,tmdbId\n1,0111161,278\n", [ONE]),
        ("sep=;\nRating;Const\n9;tt0111161\n", [ONE]),
        ("Const\ntt0111161\ntt0068646,\n", BOTH),
        ('tconst,title\ntt0111161,"Ships\nof doom"\ntt0068646,X\n', BOTH),
        ('title,tconst\n"Ships\nof doom",tt0111161\n', [ONE]),
        ('tconst\ttitleType\tprimaryTitle\ntt0111161\tmovie\t"Ships\ntt0068646\tmovie\tX\n', BOTH),
        ("tconst\tparentTconst\ntt0111161\ttt0068646\n", [ONE]),
        (f'["{ONE}", "{TWO}/"]', BOTH),
        (f'[{{"imdb_id": "{ONE}"}}, {{"id": 1, "IMDb ID": "{TWO}"}}]', BOTH),
        (f'[{{"movie": {{"title": "Ships", "ids": {{"trakt": 1, "imdb": "{ONE}"}}}}}}]', [ONE]),
        (f'{{"data": [{{"imdb_id": "{ONE}"}}], "pagination": {{"page": 1}}}}', [ONE]),
        (f'{{"imdbID": "{ONE}"}}\n{{"imdbID": "{TWO}"}}\n', BOTH),
    ],
)
def test_tables_and_json_are_read_without_a_word(file: Path, content: str, ids: list[str]) -> None:
    found = read(file, content)
    assert (list(found.imdb_ids), found.unread, found.repeated) == (ids, 0, 0)


def as_spreadsheet(table: str) -> str:
    return table.replace(",", ";")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("table", [RATINGS, as_spreadsheet(RATINGS), f"{ONE}\n{TWO}\n", WATCHLIST])
def test_encodings_and_line_ends_change_nothing(
    file: Path, table: str, end: str, encoding: str
) -> None:
    found = read(file, table.replace("\n", end).encode(encoding))
    assert (list(found.imdb_ids), found.unread) == (BOTH, 0)


def test_titles_in_an_old_encoding_do_not_matter(file: Path) -> None:
    assert list(read(file, "Title,Const\nAmélie,tt0111161\n".encode("latin-1")).imdb_ids) == [ONE]


def test_rows_without_a_title_are_told_with_the_line_they_begin_at(file: Path) -> None:
    table = WATCHLIST + "3,nm0000138,,,,Ada Brook,,https://www.imdb.com/name/nm0000138/,,,,,,,,,,\n"
    found = read(file, table)
    assert found.unread == 1
    assert found.shown[0].startswith("line 5: 3,nm0000138,")


def test_only_the_first_five_are_shown_cut_and_harmless(file: Path) -> None:
    found = read(file, f"{ONE}\n\x1b[2Jgone\n{'x' * 500}\n" + "no\n" * 7)
    assert found.unread == 9
    assert len(found.shown) == 5
    assert found.shown[0] == "line 2: \N{REPLACEMENT CHARACTER}[2Jgone"
    assert len(found.shown[1]) < 120


@pytest.mark.parametrize(
    "content",
    [
        f'Title,Const\nShips,{ONE}\n"Ships,{TWO}\nMore,{THREE}\n',
        f'Const,Title\n{ONE},"Ships\n{TWO},Ships 2\n{THREE},Ships 3\n',
        f'Const;Title\n{ONE};"Ships\n{TWO};Ships 2\n{THREE};"Ships" 3\n',
        f'{ONE},"Ships\n{TWO},Ships 2\n{THREE},Ships 3\n',
        f'Const\tTitle\n{ONE}\t"Ships\n{TWO}\tShips 2"\n{THREE}\t3\n',
        f'titleId\tordering\ttitle\n{ONE}\t1\t"Die\n{TWO}\t1\tx\n{THREE}\t1\ty"\n',
        f'imdb_id\ttitle\n{ONE}\t"Die\n{TWO}\tx\n{THREE}\ty"\n',
        f'title\timdb_id\n"Die\t{ONE}\nx\t{TWO}\ny"\t{THREE}\n',
        f'{ONE}\t"Ships\n{TWO}\tShips 2"\n{THREE}\t3\n',
        f'Const,Title\n{ONE},x\n{TWO},y\n{THREE},"Ships',
    ],
)
def test_a_quotation_mark_that_nothing_closes_hides_no_line(file: Path, content: str) -> None:
    found = read(file, content)
    assert (list(found.imdb_ids), found.unread) == ([ONE, TWO, THREE], 0)


@given(data=st.data(), place=st.integers(0, 2), delimiter=st.sampled_from(",;|\t"))
def test_every_id_in_its_column_is_taken_or_its_line_is_counted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, place: int, delimiter: str
) -> None:
    text = st.text("\"a'# ", max_size=4)
    header = data.draw(st.sampled_from(["Const", "tconst", "titleId", "imdb_id", ""]))
    rows = [["one", "two"]] if header else [["", ""]]
    rows += data.draw(st.lists(st.tuples(text, text).map(list), min_size=1, max_size=8))
    ids = [header or "tt9999999", *(f"tt{number:07d}" for number in range(1, len(rows)))]
    for imdb_id, row in zip(ids, rows, strict=True):
        row.insert(place, imdb_id)
    file = tmp_path_factory.getbasetemp() / "rows"
    lines = [delimiter.join(row) for row in rows]
    try:
        found = read(file, "\n".join(lines))
    except Failure as failure:
        assert "holds no ids" in str(failure)  # noqa: PT017  which is loud, too
        return
    # What is in quotation marks may be a comment as well.
    commented = [line.lstrip(' "').startswith("#") or " #" in line for line in lines]
    wanted = {
        imdb_id
        for imdb_id, is_comment in zip(ids[1:], commented[1:], strict=True)
        if header or not is_comment
    }
    assert len(wanted - found.imdb_ids.keys()) <= found.unread


def test_a_quoted_line_end_is_none_where_the_record_holds_all_ids(file: Path) -> None:
    table = WATCHLIST.replace("see", f"see\n{ONE}\n")
    found = read(file, table)
    assert (list(found.imdb_ids), found.unread, found.repeated) == (BOTH, 0, 0)


def test_lines_and_fields_may_be_long(file: Path) -> None:
    ids = [f"tt{number:07d}" for number in range(1000)]
    found = read(file, f"{ONE} " * 30_000 + " ".join(ids[1:]))
    assert len(found.imdb_ids) == 1000
    found = read(file, f'Const,Description\n{ONE},"{"x" * 200_000}"\n{TWO},y\n')
    assert (list(found.imdb_ids), found.unread) == (BOTH, 0)
    found = read(file, f'Const,Title\n{ONE},"x\n{THREE},{"x" * 17_000_000}\n{TWO},y\n')
    assert (list(found.imdb_ids), found.unread) == (BOTH, 1)


def test_standard_input_that_is_closed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(Failure, match="standard input is closed"):
        id_lists.read(Path("-"), most=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no ids: expected one a line"),
        ('sep="\nShips\n', "holds no ids"),
        ("# none\n\n", "holds no ids"),
        ("Ships\nMore ships\n", r"holds no ids \(line 1: Ships\)"),
        ("Date,Name,Year,Letterboxd URI\n2020-01-01,Ships,1994,https://boxd.it/a\n", "Letterboxd"),
        ("Letterboxd list export v7\nDate,Name,Tags,URL,Description\n", "Letterboxd"),
        ('["tt0111161"', "is no JSON: "),
        ("[" * 100_000, "is no JSON: "),
        ("[]", "holds no ids"),
        (b"PK\x03\x04 and so on", "is a ZIP archive: unpack it"),
        (gzip.compress(b"tt0111161", mtime=0), "is packed by gzip: unpack it"),
        ("\n".join(f"tt{number:07d}" for number in range(1001)), "more than 1,000 ids"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line(
    file: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(Failure, match=message) as caught:
        read(file, content)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot be read: No such file"):
        id_lists.read(tmp_path / "none", most=1)
    with pytest.raises(Failure, match="cannot be read: Is a directory"):
        id_lists.read(tmp_path, most=1)


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, WATCHLIST.encode())
    os.close(writing)
    with open(reading) as pipe:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", pipe)
        found = id_lists.read(Path("-"), most=1000)
        assert (found.name, list(found.imdb_ids)) == ("standard input", BOTH)
        assert not pipe.closed
