"""Operations of one request, and what all operations have in common."""

from __future__ import annotations

from typing import Any

from hypermultifeed.discovery.messages import MessageType
from hypermultifeed.discovery.query import Query, Question, ReadyQuery, Reply, SingleQuery
from hypermultifeed.errors import DiscoveryError

from .host import ScriptedHost, contact

PEER = contact(1)


def read(reply: Reply) -> bytes | None:
    return reply.value


class Watched:
    """What an operation tells."""

    def __init__(self, query: Query[Any]) -> None:
        self.results: list[Any] = []
        self.ends = 0
        query.on_reply = self.results.append
        query.on_end = self.on_end

    def on_end(self, _query: object) -> None:
        self.ends += 1


def single(host: ScriptedHost) -> tuple[SingleQuery[bytes], Watched]:
    query = SingleQuery(host, read)
    query.ask(Question("_ping"), PEER.address, 0.0)
    return query, Watched(query)


def test_an_answer_is_the_result_and_the_end() -> None:
    host = ScriptedHost()
    query, seen = single(host)
    host.answer(PEER, value=b"yes")
    assert (seen.results, seen.ends, query.error, query.done) == ([b"yes"], 1, None, True)
    assert host.over == [query]


def test_silence_is_an_error() -> None:
    host = ScriptedHost()
    query, seen = single(host)
    host.fail(PEER)
    assert (seen.results, seen.ends) == ([], 1)
    assert isinstance(query.error, DiscoveryError)


def test_a_useless_answer_is_an_error() -> None:
    host = ScriptedHost()
    query, seen = single(host)
    host.answer(PEER)
    assert query.error is not None
    assert seen.ends == 1


def test_a_request_that_cannot_be_sent_ends_the_operation_later() -> None:
    host = ScriptedHost()
    host.full = True
    query, seen = single(host)
    assert not query.done
    host.run_later()
    assert query.error is not None
    assert seen.ends == 1


def test_cancelling_forgets_the_requests_and_calls_nobody() -> None:
    host = ScriptedHost()
    query, seen = single(host)
    query.cancel()
    query.cancel()
    assert len(host.cancelled) == 1
    assert (seen.ends, query.done, host.over) == (0, True, [query])
    query.fail(DiscoveryError("too late"))
    query.finish()
    assert (seen.ends, query.error) == (0, None)


def test_a_ready_operation_gives_its_results_when_they_can_be_seen() -> None:
    host = ScriptedHost()
    query = ReadyQuery(host, b"a", b"b")
    seen = Watched(query)
    host.run_later()
    assert (seen.results, seen.ends) == ([b"a", b"b"], 1)


def test_a_ready_operation_can_be_cancelled() -> None:
    host = ScriptedHost()
    query = ReadyQuery(host, b"a", b"b")
    seen = Watched(query)
    query.on_reply = lambda _result: query.cancel()
    host.run_later()
    assert seen.ends == 0


def test_a_question_with_a_token_is_an_update() -> None:
    question = Question("peers", bytes(32), b"value")
    assert question.message(None, PEER.address).type is MessageType.QUERY
    update = question._replace(token=b"t").message(b"i" * 32, PEER.address)
    assert (update.type, update.roundtrip_token) == (MessageType.UPDATE, b"t")
    assert (update.to, update.id, update.command) == (PEER.address, b"i" * 32, "peers")
