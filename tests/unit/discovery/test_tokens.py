from __future__ import annotations

import random

import pytest

from hypermultifeed.discovery.tokens import ROTATION_S, Tokens

HOST = "10.1.2.3"


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(random.Random(1), 1000.0)


def test_a_token_is_good_for_its_host_alone(tokens: Tokens) -> None:
    token = tokens.create(HOST, 1000.0)
    assert len(token) == 32
    assert tokens.create(HOST, 1000.0) == token != tokens.create("10.1.2.4", 1000.0)
    assert tokens.verify(HOST, token, 1000.0)
    assert not tokens.verify("10.1.2.4", token, 1000.0)


@pytest.mark.parametrize("token", [None, b"", bytes(32), b"x" * 500])
def test_others_are_not_good(tokens: Tokens, token: bytes | None) -> None:
    assert not tokens.verify(HOST, token, 1000.0)


def test_other_nodes_give_other_tokens(tokens: Tokens) -> None:
    other = Tokens(random.Random(2), 1000.0)
    assert not tokens.verify(HOST, other.create(HOST, 1000.0), 1000.0)


@pytest.mark.parametrize("made", [0.0, 299.0])
def test_a_token_lives_until_its_secret_has_been_replaced_twice(made: float) -> None:
    tokens = Tokens(random.Random(1), 0.0)
    token = tokens.create(HOST, made)
    assert tokens.verify(HOST, token, ROTATION_S)
    assert tokens.create(HOST, ROTATION_S) != token
    assert tokens.verify(HOST, token, 2 * ROTATION_S - 1)
    assert not tokens.verify(HOST, token, 2 * ROTATION_S)


def test_rotation_keeps_its_phase_and_survives_a_long_sleep() -> None:
    tokens = Tokens(random.Random(1), 0.0)
    old = tokens.create(HOST, 0.0)
    late = tokens.create(HOST, 10 * ROTATION_S + 299)
    assert not tokens.verify(HOST, old, 10 * ROTATION_S + 299)
    assert tokens.verify(HOST, late, 11 * ROTATION_S)
    assert not tokens.verify(HOST, late, 12 * ROTATION_S)
