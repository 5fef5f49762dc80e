"""`lib.accounts.tokens`: what is no token of ours, or no longer, is refused, whatever it is."""

import base64
import hmac
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from lib.accounts.keys import SigningSettings, VerifyingSettings, thumbprint
from lib.accounts.tokens import IssuedToken, Signer, Verifier, bearer_token
from lib.errors import Unauthorized
from lib.settings import Secret, SettingsError


def private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


KEY: Final = Ed25519PrivateKey.generate()
OTHER_KEY: Final = Ed25519PrivateKey.generate()
SIGNER: Final = Signer(SigningSettings(private_key=Secret(private_pem(KEY))))
VERIFIER: Final = Verifier(VerifyingSettings(public_keys=(public_pem(KEY),)))
HEADER: Final[dict[str, Any]] = {"alg": "EdDSA", "kid": SIGNER.kid, "typ": "at+jwt"}


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a good token, with some changed; None leaves one out."""
    moment = now()
    good = {
        "iss": "simple-movie-database",
        "aud": "simple-movie-database",
        "sub": "7",
        "iat": moment,
        "exp": moment + 900,
        "jti": "0123456789abcdef" * 2,
        "role": "editor",
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(
    payload: dict[str, Any] | str | None = None,
    header: dict[str, Any] | str | None = None,
    key: Ed25519PrivateKey = KEY,
) -> str:
    """Sign whatever it is, as PyJWT would not."""
    parts = [HEADER if header is None else header, claims() if payload is None else payload]
    texts = [part if isinstance(part, str) else json.dumps(part) for part in parts]
    signing_input = ".".join(encoded(text.encode()) for text in texts)
    return f"{signing_input}.{encoded(key.sign(signing_input.encode()))}"


def assert_refused(token: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        VERIFIER.verify(token)

    assert type(caught.value) is Unauthorized
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    assert "/login" in caught.value.message


def issued_ago(seconds: int) -> IssuedToken:
    return SIGNER.issue(7, "editor", now=datetime.now(UTC) - timedelta(seconds=seconds))


def test_an_issued_token_says_who_and_until_when() -> None:
    moment = datetime.now(UTC)

    issued = SIGNER.issue(10**18 - 1, "admin", now=moment)

    said = VERIFIER.verify(issued.token)
    assert (said.user_id, said.role, said.jti) == (10**18 - 1, "admin", issued.jti)
    assert said.expires_at == issued.expires_at
    assert issued.expires_at == moment.replace(microsecond=0) + timedelta(minutes=15)


def test_a_token_carries_exactly_the_documented_header_and_claims() -> None:
    header, payload, _ = SIGNER.issue(7, "viewer", now=datetime.now(UTC)).token.split(".")

    assert json.loads(base64.urlsafe_b64decode(header + "==")) == HEADER
    members = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert set(members) == {"iss", "aud", "sub", "exp", "iat", "jti", "sid", "role"}
    assert members["sid"] == members["jti"]  # of the first of a session
    assert members["exp"] - members["iat"] == 900


def test_later_tokens_of_a_session_name_it_and_are_called_otherwise() -> None:
    first = SIGNER.issue(7, "viewer", now=datetime.now(UTC))

    later = SIGNER.issue(7, "viewer", now=datetime.now(UTC), session_id=first.session_id)

    said = VERIFIER.verify(later.token)
    assert (said.session_id, said.jti) == (first.session_id, later.jti)
    assert said.jti != first.jti


def test_a_token_of_the_release_before_is_of_the_session_that_it_is_called_as() -> None:
    said = VERIFIER.verify(signed(claims(sid=None)))

    assert said.session_id == said.jti


def test_two_tokens_of_one_moment_differ_in_their_id() -> None:
    moment = datetime.now(UTC)

    assert SIGNER.issue(7, "viewer", now=moment).jti != SIGNER.issue(7, "viewer", now=moment).jti


def test_a_tokens_text_is_not_in_its_repr() -> None:
    issued = issued_ago(0)

    assert issued.token not in repr(issued)


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    raw = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = Ed25519PrivateKey.from_private_bytes(raw)

    assert thumbprint(key.public_key()) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_while_keys_rotate_tokens_of_both_are_valid() -> None:
    both = Verifier(VerifyingSettings(public_keys=(public_pem(OTHER_KEY), public_pem(KEY))))

    assert both.verify(signed()).user_id == 7
    new = Signer(SigningSettings(private_key=Secret(private_pem(OTHER_KEY))))
    assert both.verify(new.issue(8, "viewer", now=datetime.now(UTC)).token).user_id == 8
    assert both.kids == {SIGNER.kid, new.kid}


def test_a_token_signed_by_hand_with_our_claims_is_accepted() -> None:
    assert VERIFIER.verify(signed()).role == "editor"


def test_25_seconds_past_its_end_a_token_is_still_valid_for_clocks_that_differ() -> None:
    assert VERIFIER.verify(issued_ago(925).token)


def test_31_seconds_past_its_end_a_token_is_refused() -> None:
    assert_refused(issued_ago(931).token)


def test_a_given_moment_decides_when_a_token_ends() -> None:
    issued = issued_ago(0)

    assert VERIFIER.verify(issued.token, now=issued.expires_at + timedelta(seconds=29))
    with pytest.raises(Unauthorized):
        VERIFIER.verify(issued.token, now=issued.expires_at + timedelta(seconds=30))


def test_a_token_from_a_clock_that_is_ahead_is_valid_within_the_leeway_only() -> None:
    assert VERIFIER.verify(issued_ago(-25).token)
    assert_refused(issued_ago(-35).token)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "jti", "role"])
def test_a_token_without_one_of_its_claims_is_refused(name: str) -> None:
    assert_refused(signed(claims(**{name: None})))
    assert_refused(signed(json.dumps(claims()).replace(f'"{name}"', f'"{name}": null, "x"')))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "someone else"),
        ("iss", ["simple-movie-database"]),
        ("iss", ""),
        ("aud", "someone else"),
        ("aud", ["simple-movie-database"]),
        ("aud", ["simple-movie-database", "another"]),
        ("aud", {}),
        ("sub", ""),
        ("sub", 7),
        ("sub", "0"),
        ("sub", "07"),
        ("sub", "-7"),
        ("sub", "7\n"),
        ("sub", "7\0"),
        ("sub", "\u0667"),
        ("sub", "1" * 20),
        ("sub", "admin'--"),
        ("sub", "\ud800"),
        ("sub", ["7"]),
        ("jti", ""),
        ("jti", 7),
        ("jti", "0123456789ABCDEF" * 2),
        ("jti", "0123456789abcdef"),
        ("jti", "0123456789abcdef" * 2 + "\n"),
        ("jti", ["0123456789abcdef" * 2]),
        ("sid", ""),
        ("sid", 7),
        ("sid", "0123456789abcdef"),
        ("sid", "0123456789ABCDEF" * 2),
        ("role", "owner"),
        ("role", "Admin"),
        ("role", ["admin"]),
        ("role", {"admin": True}),
        ("role", True),
    ],
    ids=ascii,
)
def test_a_claim_in_another_form_than_ours_is_refused_even_when_signed(
    name: str, value: object
) -> None:
    assert_refused(signed(claims(**{name: value})))


@pytest.mark.parametrize(
    "times",
    [
        '"iat": {now}, "exp": "{later}"',
        '"iat": "{now}", "exp": {later}',
        '"iat": {now}, "exp": {later}.0',
        '"iat": {now}.5, "exp": {later}',
        '"iat": {now}, "exp": true',
        '"iat": true, "exp": {later}',
        '"iat": {now}, "exp": 1e400',
        '"iat": {now}, "exp": NaN',
        '"iat": {now}, "exp": Infinity',
        '"iat": -Infinity, "exp": {later}',
        '"iat": {now}, "exp": [{later}]',
        '"iat": {now}, "exp": {now}',
        '"iat": {later}, "exp": {now}',
        '"iat": {now}, "exp": {later}1',
        '"iat": {before}, "exp": {later}',
        '"iat": 0, "exp": {later}',
        '"iat": {now}, "exp": -1',
        '"iat": {now}, "exp": 1' + "0" * 400,
        '"iat": {now}, "exp": 1' + "0" * 5000,
        '"iat": {now}, "exp": {later}, "nbf": {soon}',
        '"iat": {now}, "exp": {later}, "nbf": "{now}"',
        '"iat": {now}, "exp": {later}, "nbf": null',
        '"iat": {now}, "exp": {later}, "nbf": 1e400',
        '"iat": {now}, "exp": {later}, "nbf": false',
    ],
    ids=lambda text: text[:50],
)
def test_times_in_another_form_or_order_are_refused(times: str) -> None:
    moment = now()
    filled = times.format(now=moment, later=moment + 900, before=moment - 1, soon=moment + 60)
    rest = json.dumps(claims(iat=None, exp=None))[1:]

    assert_refused(signed(f"{{{filled}, {rest}"))


def test_a_not_before_in_the_past_does_no_harm() -> None:
    assert VERIFIER.verify(signed(claims(nbf=now() - 5)))


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "None"},
        {**HEADER, "alg": "HS256"},
        {**HEADER, "alg": "Ed25519"},
        {**HEADER, "alg": "eddsa"},
        {**HEADER, "alg": ["EdDSA"]},
        {**HEADER, "alg": None},
        {**HEADER, "typ": "JWT"},
        {**HEADER, "typ": "refresh+jwt"},
        {**HEADER, "typ": "application/at+jwt"},
        {**HEADER, "typ": None},
        {**HEADER, "kid": "unknown"},
        {**HEADER, "kid": "../../dev/null"},
        {**HEADER, "kid": "' or '1'='1"},
        {**HEADER, "kid": ""},
        {**HEADER, "kid": 1},
        {**HEADER, "kid": [SIGNER.kid]},
        {**HEADER, "crit": ["x"]},
        {**HEADER, "crit": []},
        {**HEADER, "b64": False},
        {**HEADER, "zip": "DEF"},
        {"alg": "EdDSA", "typ": "at+jwt"},
        {"alg": "EdDSA", "kid": SIGNER.kid},
        {"typ": "at+jwt", "kid": SIGNER.kid},
        {},
    ],
    ids=lambda header: json.dumps(header).replace(SIGNER.kid, "…")[:60],
)
def test_another_header_than_ours_is_refused_even_when_signed(header: dict[str, Any]) -> None:
    assert_refused(signed(header=header))


@pytest.mark.parametrize(
    "pointer",
    [
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"x5c": ["AAAA"]},
    ],
    ids=lambda pointer: next(iter(pointer)),
)
@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=["our key", "another key"])
def test_a_header_that_points_at_a_key_is_refused_and_nothing_is_fetched(
    pointer: dict[str, Any], key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object, **__: object) -> None:
        pytest.fail("a token made us open a socket")

    monkeypatch.setattr(socket, "socket", no_socket)

    assert_refused(signed(header={**HEADER, **pointer}, key=key))


def test_a_token_signed_by_another_key_under_our_key_id_is_refused() -> None:
    assert_refused(signed(key=OTHER_KEY))


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("form", ["pem", "raw"])
def test_the_public_key_as_a_shared_secret_is_refused(alg: str, form: str) -> None:
    secret = (
        public_pem(KEY).encode()
        if form == "pem"
        else KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    )
    signing_input = signed(header={**HEADER, "alg": alg}).rpartition(".")[0]
    digest = hmac.new(secret, signing_input.encode(), f"sha{alg[2:]}").digest()

    assert_refused(f"{signing_input}.{encoded(digest)}")


def test_a_token_without_a_signature_is_refused() -> None:
    signing_input = signed(header={**HEADER, "alg": "none"}).rpartition(".")[0]

    assert_refused(f"{signing_input}.")
    assert_refused(signing_input)


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "=",
        lambda token: token + "==",
        lambda token: token.replace(".", "=.", 1),
        lambda token: token + "\n",
        lambda token: " " + token,
        lambda token: token + ".",
        lambda token: "." + token,
        lambda token: token + "." + token.rpartition(".")[2],
        lambda token: token.replace(".", ".."),
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token.rpartition(".")[0] + ".AAAA",
        lambda token: token + "\ud800",
        lambda token: token + "\0",
        lambda token: "é" + token,
        lambda token: token + "+/",
    ],
)
def test_a_token_in_another_spelling_is_refused(change: Any) -> None:
    assert_refused(change(signed()))


def test_the_spare_bits_of_a_signatures_last_letter_have_one_spelling() -> None:
    token = signed()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    position = alphabet.index(token[-1])

    assert_refused(token[:-1] + alphabet[position + 1])


@pytest.mark.parametrize("name", ["role", "sub", "exp"])
def test_a_claim_given_twice_is_refused_even_when_signed(name: str) -> None:
    twice = json.dumps(claims())[:-1] + f', "{name}": {json.dumps(claims()[name])}}}'

    assert_refused(signed(twice))


def test_a_header_member_given_twice_is_refused_even_when_signed() -> None:
    assert_refused(signed(header=json.dumps(HEADER)[:-1] + ', "alg": "EdDSA"}'))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"x"',
        "1",
        "{",
        "[" * 3000,
        '{"a":' * 900,
        "\ufeff{}",
        '{"iat": NaN}',
        "{}x",
    ],
    ids=lambda text: text[:6],
)
def test_a_part_that_is_no_json_object_is_refused_even_when_signed(text: str) -> None:
    assert_refused(signed(text))
    assert_refused(signed(header=text))


def test_a_part_that_is_not_utf_8_is_refused() -> None:
    header, payload, signature = signed().split(".")

    assert_refused(f"{encoded(bytes([0xFF, 0xFE, 0x7B]))}.{payload}.{signature}")
    assert_refused(f"{header}.{encoded(bytes([0xC3, 0x28]))}.{signature}")


def test_a_token_longer_than_8_kb_is_refused_even_when_signed() -> None:
    fits = signed(claims(note="x" * 5500))
    assert len(fits) < 8192
    assert VERIFIER.verify(fits)

    assert_refused(signed(claims(note="x" * 6500)))
    assert_refused("a" * 1_000_000)
    assert_refused("A.A.A" * 200_000)


@given(st.text(st.characters()))
def test_an_arbitrary_text_is_no_token(text: str) -> None:
    assert_refused(text)


@given(st.lists(st.binary(max_size=60).map(encoded), min_size=3, max_size=3).map(".".join))
def test_three_arbitrary_parts_are_no_token(text: str) -> None:
    assert_refused(text)


@given(st.data())
def test_a_token_with_one_letter_changed_is_no_token(data: st.DataObject) -> None:
    token = signed()
    position = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != token[position]))

    assert_refused(token[:position] + letter + token[position + 1 :])


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(claims())), JSON), st.dictionaries(st.text(), JSON))
def test_signed_claims_of_any_kind_are_accepted_or_refused_but_never_break(
    ours: dict[str, Any], others: dict[str, Any]
) -> None:
    token = signed({**others, **claims(), **ours})
    try:
        VERIFIER.verify(token)
    except Unauthorized:
        return
    assert all(type(value) in (str, int) for value in ours.values())


@given(st.dictionaries(st.sampled_from([*HEADER, "crit", "b64", "jku"]), JSON, min_size=1))
def test_signed_headers_of_any_kind_are_refused(changed: dict[str, Any]) -> None:
    if {**HEADER, **changed} != HEADER:
        assert_refused(signed(header={**HEADER, **changed}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer ", "bEARER    "])
def test_the_scheme_of_the_header_may_be_in_any_case_with_any_blanks_behind_it(scheme: str) -> None:
    assert bearer_token(f"{scheme} abc.DEF-_~+/==") == "abc.DEF-_~+/=="


@pytest.mark.parametrize("header", [None, "", "Basic dTpw", "Negotiate", "Token x", " ", "abc.d.e"])
def test_who_sends_no_token_is_told_where_to_get_one_and_no_error(header: str | None) -> None:
    with pytest.raises(Unauthorized) as caught:
        bearer_token(header)

    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "POST /login" in caught.value.message


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer a.b.c ",
        "Bearer a.b.c\n",
        "Bearer\ta.b.c",
        "Bearer a.b.c d",
        "Bearer a.b.c, Bearer d.e.f",
        "Bearer token=a.b.c",
        "Bearer =",
        "Bearer é",
        "Bearer:a.b.c",
        "Bearera.b.c",
        "Bearer " + "a" * 8193,
    ],
    ids=lambda header: ascii(header)[:30],
)
def test_a_header_in_another_form_is_refused(header: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        bearer_token(header)

    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}


ENCRYPTED: Final = KEY.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
).decode()
RSA: Final = rsa.generate_private_key(65537, 2048)
STRANGE_KEYS: Final = [
    RSA,
    ec.generate_private_key(ec.SECP256R1()),
    ed448.Ed448PrivateKey.generate(),
]
BROKEN: Final = [
    "",
    "no PEM",
    "\ud800",
    "-----BEGIN {kind} KEY-----\nAAAA\n-----END {kind} KEY-----",
]


@pytest.mark.parametrize(
    "pem",
    [
        *(private_pem(key) for key in STRANGE_KEYS),
        *(text.format(kind="PRIVATE") for text in BROKEN),
        public_pem(KEY),
        ENCRYPTED,
    ],
)
def test_what_is_no_ed25519_private_key_is_a_setting_named_token_private_key(pem: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^TOKEN_PRIVATE_KEY is malformed: .*Ed25519"
    ) as caught:
        Signer(SigningSettings(private_key=Secret(pem)))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pem",
    [
        *(public_pem(key) for key in STRANGE_KEYS),
        *(text.format(kind="PUBLIC") for text in BROKEN),
        private_pem(KEY),
    ],
)
def test_what_is_no_ed25519_public_key_is_a_setting_named_token_public_keys(pem: str) -> None:
    with pytest.raises(SettingsError, match=r"^TOKEN_PUBLIC_KEYS is malformed: .*Ed25519"):
        Verifier(VerifyingSettings(public_keys=(public_pem(KEY), pem)))
