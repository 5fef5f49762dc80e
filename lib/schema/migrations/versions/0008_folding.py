"""How titles and names are folded, in SQL.

Nothing asks for these functions yet, so that this suits the revision that runs while it is applied.
PostgreSQL 18 is the first to have what they are made of.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# As `lib.catalogue.folding`. plpgsql, as it evaluates such expressions without a query for each.
_FOLDING = r"""
create function fold_title(title text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    folded text collate "C" := title;
begin
    -- Most are no more than this.
    if title ~ '^[!-_a-~]+( [!-_a-~]+)*$' and octet_length(title) <= 500 then
        return lower(folded);
    end if;
    if octet_length(title) = length(title) then
        folded := translate(lower(folded), E'`\t\n\v\f\r', '''     ');
        folded := regexp_replace(folded, '[\u0001-\u001f\u007f]+', '', 'g');
    else
        folded := translate(folded,
            E'‘’‚‛ʹʻʼʽˈ′‵‹›`´΄᾽᾿῾＇｀“”„‟ʺ˝″‶«»〃〝〞〟＂‐‑‒–—―⁃−﹘﹣－➖⸺⸻·•‧∙⋅・･。｡⁄∕⧸／'
            '\t\n\v\f\r\u0085\u1680\u2028\u2029™℠®©',
            repeat('''', 21) || repeat('"', 15) || repeat('-', 14) || repeat('.', 9)
            || repeat('/', 4) || repeat(' ', 9));
        folded := regexp_replace(folded, '([¼-¾⅐-⅟↉]|[²³¹⁰⁴-⁹]+)', ' \1', 'g');
        folded := casefold(normalize(folded, nfkd) collate pg_unicode_fast);
        folded := translate(folded,
            'øłđðħı⁄🅐🅑🅒🅓🅔🅕🅖🅗🅘🅙🅚🅛🅜🅝🅞🅟🅠🅡🅢🅣🅤🅥🅦🅧🅨🅩🅰🅱🅲🅳🅴🅵🅶🅷🅸🅹🅺🅻🅼🅽🅾🅿🆀🆁🆂🆃🆄🆅🆆🆇🆈🆉',
            'olddhi/abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz');
        folded := replace(replace(replace(folded, 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
        folded := regexp_replace(normalize(folded, nfkd),
            '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u0640\u180b-\u180f\u200b-\u200f\u202a-\u202e'
            '\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0001-\U000e007f'
            '\U000e0100-\U000e01ef'
            '\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f'
            '\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0711\u0730-\u074a'
            '\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]+',
            '', 'g');
        folded := normalize(folded, nfc);
    end if;
    folded := rtrim(left(btrim(regexp_replace(folded, ' +', ' ', 'g')), 500));
    return case folded when '' then left(title, 500) else folded end;
end $$;

-- The words of a folded text, by their parts and by all of them together; and all as one text.
create function folded_words(folded text) returns text[]
language plpgsql immutable strict parallel safe as $$
declare
    words text collate "C" := folded;
begin
    if words !~ '[^a-z0-9 ]' then
        return string_to_array(words, ' ');
    end if;
    words := replace(replace(words, '&', ' and '), '+', ' and ');
    return string_to_array(
        regexp_replace(words collate pg_c_utf8, '[[:punct:]]', ' ', 'g') || ' '
        || regexp_replace(words collate pg_c_utf8, '[[:punct:]]+', '', 'g'), ' ');
end $$;
create function loose_title(title text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    folded text collate "C" := fold_title(title);
    bare text collate "C" := folded;
begin
    if position(',' in folded) > 0 then
        bare := regexp_replace(bare, '^(.*[^ ,]) ?, ?'
            '(the|an?|les?|la|l''|une?|el|l[oa]s|una|il|lo|gli|der|die|das|eine?|den|det|het|de)$',
            '\2 \1');
    end if;
    bare := regexp_replace(bare, '^(the|an?) (?=.)', '');
    bare := replace(replace(bare, '&', 'and'), '+', 'and');
    bare := regexp_replace(bare collate pg_c_utf8, '[ [:punct:]]+', '', 'g');
    return case bare when '' then folded else bare end;
end $$;
create function deletions(word text) returns text[]
language sql immutable strict parallel safe return (
    select array_agg(distinct shorter) from (
        select word as shorter
        union all
        select overlay(word placing '' from place for 1) from generate_series(1, length(word)) place
        where length(word) between 3 and 24
    ) shortened);
revoke execute on function
    fold_title(text), folded_words(text), loose_title(text), deletions(text) from public;
"""


def upgrade() -> None:
    """Make the functions."""
    op.get_bind().exec_driver_sql(_FOLDING)


def downgrade() -> None:
    """Drop them."""
    op.get_bind().exec_driver_sql(
        "drop function deletions(text), loose_title(text), folded_words(text), fold_title(text)"
    )
