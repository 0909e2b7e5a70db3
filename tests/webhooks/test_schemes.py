"""How senders prove who they are: every scheme, and everything that is not quite right."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Oracle
from standardwebhooks import WebhookVerificationError

from gateway.domain.webhook import Scheme
from gateway.relay.http import Headers
from gateway.webhooks.schemes import (
    MAX_SIGNATURES,
    Proof,
    UnusableSecret,
    check_secret,
    new_secret,
    prove,
    signing_headers,
)

NOW_S = 1_790_000_000
BODY = '{"branch":"größe","n":1}'.encode()
SIGNED = [scheme for scheme in Scheme if scheme is not Scheme.NONE]
TIMED = [Scheme.STANDARD, Scheme.STRIPE, Scheme.SLACK]
SECRETS = {scheme: new_secret(scheme) for scheme in SIGNED}
SIGNATURE = {
    Scheme.BEARER: "authorization",
    Scheme.STANDARD: "webhook-signature",
    Scheme.GITHUB: "x-hub-signature-256",
    Scheme.STRIPE: "stripe-signature",
    Scheme.SLACK: "x-slack-signature",
}
TIMESTAMP = {
    Scheme.STANDARD: "webhook-timestamp",
    Scheme.STRIPE: "stripe-signature",
    Scheme.SLACK: "x-slack-request-timestamp",
}


def headers_of(fields: "dict[str, str] | list[tuple[str, str]]") -> Headers:
    """Return headers as an HTTP server gives them."""
    pairs = fields if isinstance(fields, list) else list(fields.items())
    return Headers({"headers": [(k.encode(), v.encode("latin-1")) for k, v in pairs]})


def signed(scheme: Scheme, *, at: int = NOW_S, secret: str = "", body: bytes = BODY):
    """Return a good sender's headers."""
    secret = secret or SECRETS[scheme]
    return signing_headers(scheme, secret, body, delivery_id="msg_1", now_s=at)


def check(
    scheme: Scheme,
    fields: "dict[str, str] | list[tuple[str, str]]",
    body: bytes = BODY,
    secrets: "tuple[str, ...] | None" = None,
) -> Proof:
    """Return what a check finds now."""
    secrets = (SECRETS[scheme],) if secrets is None else secrets
    return prove(scheme, headers_of(fields), body, secrets=secrets, now_s=NOW_S, tolerance_s=300)


@pytest.mark.parametrize("scheme", SIGNED)
def test_a_good_delivery_of_each_scheme_is_good(scheme: Scheme):
    """Security D 6."""
    assert check(scheme, signed(scheme)) is Proof.GOOD


def test_vectors_that_others_published_are_good():
    """Theirs: the documentation of GitHub and of Slack prints these."""
    github = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert (
        check(
            Scheme.GITHUB,
            {"x-hub-signature-256": github},
            b"Hello, World!",
            ("It's a Secret to Everybody",),
        )
        is Proof.GOOD
    )
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id="
        b"G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-"
        b"collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F3977"
        b"00885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d1"
        b"0d2c447fce8b6703c"
    )
    slack = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    headers = headers_of({"x-slack-request-timestamp": "1531420618", "x-slack-signature": slack})
    secret = "8f742231b10e8888abcd99yyyzzz85a5"
    for now_s, proof in ((1531420618, Proof.GOOD), (NOW_S, Proof.STALE)):
        assert (
            prove(Scheme.SLACK, headers, body, secrets=[secret], now_s=now_s, tolerance_s=300)
            is proof
        )


def test_stripe_and_bearer_are_what_their_senders_make():
    """Ours: made here by hand, not by our own signer."""
    secret = SECRETS[Scheme.STRIPE]
    digest = hmac.new(secret.encode(), b"%d." % NOW_S + BODY, hashlib.sha256).hexdigest()
    header = f"t={NOW_S},v0=abc,v1={'0' * 64},v1={digest}"
    assert check(Scheme.STRIPE, {"stripe-signature": header}) is Proof.GOOD
    assert check(Scheme.STRIPE, {"stripe-signature": header.replace(", v1", ",v1")}) is Proof.GOOD
    token = SECRETS[Scheme.BEARER]
    assert check(Scheme.BEARER, {"authorization": f"bearer  {token}"}) is Proof.GOOD
    for wrong in (token, f"Basic {token}", f"Bearer {token}x", "Bearer", "Bearer \xff", ""):
        assert check(Scheme.BEARER, {"authorization": wrong}) is Proof.BAD


def test_the_package_standardwebhooks_agrees():
    """Ours: what it signs we accept, what we sign it accepts, and so with what is wrong."""
    secret = SECRETS[Scheme.STANDARD]
    oracle = Oracle(secret)
    now_s = int(datetime.now(UTC).timestamp())
    theirs = oracle.sign("msg_2", datetime.fromtimestamp(now_s, UTC), BODY.decode())
    fields = {
        "webhook-id": "msg_2", "webhook-timestamp": str(now_s), "webhook-signature": theirs,
    }  # fmt: skip
    ours = signed(Scheme.STANDARD, at=now_s)
    oracle.verify(BODY, ours)

    def proof(given: dict[str, str], body: bytes) -> Proof:
        return prove(
            Scheme.STANDARD,
            headers_of(given),
            body,
            secrets=[secret],
            now_s=now_s,
            tolerance_s=300,
        )

    assert proof(fields, BODY) is Proof.GOOD
    for given, body in (
        (fields, BODY + b" "),
        ({**fields, "webhook-id": "msg_3"}, BODY),
        ({**fields, "webhook-timestamp": str(now_s + 1)}, BODY),
        ({**ours, "webhook-signature": f"v1,{'A' * 43}="}, BODY),
    ):
        with pytest.raises(WebhookVerificationError):
            oracle.verify(body, given)
        assert proof(given, body) is Proof.BAD


@pytest.mark.parametrize("scheme", SIGNED)
def test_one_bit_flipped_anywhere_is_bad(scheme: Scheme):
    """Security D 6: in the signature, in the time and, where it is signed, in the body."""
    good = signed(scheme)
    for name in good:
        if name == "x-github-delivery" or name == "idempotency-key":
            continue
        raw = good[name].encode()
        for at in range(len(raw)):
            flipped = bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]]).decode("latin-1")
            assert check(scheme, {**good, name: flipped}) is Proof.BAD, (name, at)
    if scheme is not Scheme.BEARER:
        for at in range(len(BODY)):
            body = bytes([*BODY[:at], BODY[at] ^ 1, *BODY[at + 1 :]])
            assert check(scheme, good, body) is Proof.BAD


@pytest.mark.parametrize("scheme", SIGNED)
def test_missing_empty_or_repeated_headers_are_bad(scheme: Scheme):
    """Security D 6: duplicate header lines."""
    good = signed(scheme)
    name = SIGNATURE[scheme]
    assert check(scheme, {}) is Proof.BAD
    assert check(scheme, {**good, name: ""}) is Proof.BAD
    assert check(scheme, [*good.items(), (name, good[name])]) is Proof.BAD
    assert check(scheme, [*good.items(), (name, "x")]) is Proof.BAD


@pytest.mark.parametrize("scheme", SIGNED)
def test_without_a_secret_nothing_is_good(scheme: Scheme):
    """Ours: also not what is signed with an empty one."""
    assert check(scheme, signed(scheme), secrets=()) is Proof.BAD


@pytest.mark.parametrize("scheme", TIMED)
def test_old_and_future_deliveries_are_stale(scheme: Scheme):
    """Security D 6: five minutes either way, and not a second more."""
    for seconds, proof in ((-301, Proof.STALE), (-300, Proof.GOOD), (300, Proof.GOOD),
                           (301, Proof.STALE), (-NOW_S, Proof.STALE)):  # fmt: skip
        assert check(scheme, signed(scheme, at=NOW_S + seconds)) is proof


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize(
    "time",
    [
        "9" * 13,
        "9" * 5000,
        "-1790000000",
        "1e9",
        "soon",
        "",
        " ",
        "\uff11\uff17",
        "1790000000.5",
        "0x1",
    ],
)
def test_a_time_that_is_no_number_of_seconds_is_bad(scheme: Scheme, time: str):
    """Security D 6: huge, negative, text; nothing raises."""
    good = signed(scheme)
    time = time.encode("utf-8").decode("latin-1")
    changed = good[TIMESTAMP[scheme]].replace(str(NOW_S), time)
    assert check(scheme, {**good, TIMESTAMP[scheme]: changed}) is Proof.BAD


def test_one_valid_signature_of_several_is_enough():
    """Security D 6: a sender that changes its secret signs with both."""
    good = signed(Scheme.STANDARD)
    mixed = f"v1a,xxx v2,yyy v1,{'A' * 43}= {good['webhook-signature']}"
    assert check(Scheme.STANDARD, {**good, "webhook-signature": mixed}) is Proof.GOOD
    stripe = signed(Scheme.STRIPE)["stripe-signature"]
    mixed = stripe.replace(",v1=", f",v1={'0' * 64},v1=")
    assert check(Scheme.STRIPE, {"stripe-signature": mixed}) is Proof.GOOD


def test_only_so_many_signatures_are_looked_at():
    """Ours: a header full of them costs no time."""
    good = signed(Scheme.STANDARD)
    many = "v1,x " * MAX_SIGNATURES + good["webhook-signature"]
    assert check(Scheme.STANDARD, {**good, "webhook-signature": many}) is Proof.BAD


@pytest.mark.parametrize("scheme", SIGNED)
def test_the_old_and_the_new_secret_are_both_good(scheme: Scheme):
    """Security D 1: secrets with overlap for rotation."""
    old, new = SECRETS[scheme], new_secret(scheme)
    for secret in (old, new):
        assert check(scheme, signed(scheme, secret=secret), secrets=(new, old)) is Proof.GOOD
    assert check(scheme, signed(scheme, secret=old), secrets=(new,)) is Proof.BAD


def test_github_signed_with_sha1_alone_is_bad():
    """Security D 6."""
    digest = hmac.new(SECRETS[Scheme.GITHUB].encode(), BODY, hashlib.sha1).hexdigest()
    assert check(Scheme.GITHUB, {"x-hub-signature": f"sha1={digest}"}) is Proof.BAD
    assert check(Scheme.GITHUB, {"x-hub-signature-256": f"sha1={digest}"}) is Proof.BAD


@pytest.mark.parametrize("signature", ["v1", "v1,", ",", "v1,\xff", "v1,=", " ", "v1 v1,"])
def test_hostile_signatures_are_bad_and_nothing_raises(signature: str):
    """Security D 2: the package raises ValueError for some of them."""
    fields = {**signed(Scheme.STANDARD), "webhook-signature": signature}
    assert check(Scheme.STANDARD, fields) is Proof.BAD


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"", b"not json", b"{}" * 100_000])
@pytest.mark.parametrize("scheme", SIGNED)
def test_any_bytes_can_be_signed(scheme: Scheme, body: bytes):
    """Security D 2: non-UTF-8 and non-JSON bodies are checked like any other."""
    assert check(scheme, signed(scheme, body=body), body) is Proof.GOOD


def test_the_same_json_in_another_order_is_bad():
    """Security D 6: the bytes are signed, not what they mean."""
    body = json.dumps({"a": 1, "b": 2}).encode()
    other = json.dumps({"b": 2, "a": 1}).encode()
    for scheme in SIGNED:
        if scheme is not Scheme.BEARER:
            assert check(scheme, signed(scheme, body=body), other) is Proof.BAD


def test_an_id_with_a_full_stop_is_bad():
    """Ours: the same signed bytes would be another id with another time."""
    inner = b"%d.{}" % NOW_S
    good = signing_headers(
        Scheme.STANDARD, SECRETS[Scheme.STANDARD], inner, delivery_id="a", now_s=5
    )
    moved = {**good, "webhook-id": "a.5", "webhook-timestamp": str(NOW_S)}
    assert check(Scheme.STANDARD, moved, b"{}") is Proof.BAD


@pytest.mark.parametrize("scheme", SIGNED)
def test_secrets_that_a_scheme_cannot_use_are_refused(scheme: Scheme):
    """Ours: too short, too long, not ASCII, or of another form."""
    check_secret(scheme, new_secret(scheme))
    standard = "whsec_" + base64.b64encode(b"x" * 23).decode()
    wrong = ["short", "x" * 513, "with space in the middle", "größe" * 5]
    if scheme is Scheme.STANDARD:
        wrong += [standard, "whsec_" + "!" * 32, "x" * 32, "whsec_"]
    for secret in wrong:
        with pytest.raises(UnusableSecret):
            check_secret(scheme, secret)
