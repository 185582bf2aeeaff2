"""When requests are sent, sent again, given up, helped, and made to wait."""

from __future__ import annotations

import random

import pytest

from hypermultifeed.discovery import requests
from hypermultifeed.discovery.addresses import Address
from hypermultifeed.discovery.messages import Message, MessageType, decode
from hypermultifeed.discovery.requests import Request, Requests, Traffic
from hypermultifeed.discovery.values import Holepunch
from hypermultifeed.errors import DiscoveryError

PEER = Address("10.0.0.2", 2000)
OTHER = Address("10.0.0.3", 3000)
REFERRER = Address("10.0.0.4", 4000)


class Sender:
    """Requests, what they sent and how they ended."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, Message, Address]] = []
        self.ended: list[tuple[float, bool]] = []
        self.silent: list[Request] = []
        self.now = 100.0
        self.requests = Requests(self.send, self.silent.append, random.Random(1), self.now)

    def send(self, data: bytes, address: Address) -> None:
        self.sent.append((self.now, decode(data), address))

    def new(
        self,
        *,
        referrer: Address | None = None,
        command: str = "_ping",
        help_early: bool = True,
    ) -> Request:
        message = Message(MessageType.QUERY, 0, to=PEER, command=command)
        return Request(
            message, PEER, self.on_end, Traffic(), referrer=referrer, help_early=help_early
        )

    def submit(self, request: Request | None = None) -> Request:
        request = request or self.new()
        self.requests.submit(request, self.now)
        return request

    def on_end(
        self, _request: Request, message: Message | None, _sender: Address, now: float
    ) -> None:
        self.ended.append((now, message is not None))

    def answer(self, request: Request, sender: Address = PEER) -> bool:
        response = Message(MessageType.RESPONSE, request.message.rid)
        matched = self.requests.match(response, sender)
        if matched is not None:
            self.requests.finish(matched, response, sender, self.now)
        return matched is not None

    def run_until(self, now: float) -> None:
        while True:
            timer = self.requests.get_timer()
            if timer is None or timer > now:
                break
            self.now = max(timer, self.now)
            self.requests.handle_timer(self.now)
        self.now = now

    def times(self, address: Address = PEER) -> list[float]:
        return [round(when - 100.0, 3) for when, _, to in self.sent if to == address]


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_a_request_is_sent_three_times_and_given_up_at_the_tenth_tick(sender: Sender) -> None:
    sender.now += 0.2
    request = sender.submit()
    sender.run_until(200.0)
    assert sender.times() == [0.2, 2.25, 4.5]
    assert [(round(when - 100, 3), answered) for when, answered in sender.ended] == [(7.5, False)]
    assert len({message.rid for _, message, _ in sender.sent}) == 1
    assert sender.silent == [request]
    assert request.traffic == Traffic(requests=1, datagrams=3, replies=0)
    assert sender.requests.get_timer() is None


def test_an_answered_request_is_not_sent_again(sender: Sender) -> None:
    request = sender.submit()
    assert sender.answer(request)
    assert not sender.answer(request)  # a second answer is nobody's
    sender.run_until(200.0)
    assert sender.times() == [0.0]
    assert sender.ended == [(100.0, True)]
    assert request.traffic.replies == 1


def test_only_who_was_asked_may_answer(sender: Sender) -> None:
    request = sender.submit()
    assert not sender.answer(request, OTHER)
    assert not sender.answer(request, Address(PEER.host, 1))
    assert sender.answer(request, PEER)


def test_the_answer_to_a_holepunch_may_come_through_another_port(sender: Sender) -> None:
    request = sender.submit(sender.new(command="_holepunch", referrer=REFERRER))
    assert sender.answer(request, OTHER)


def test_request_ids_count_up_wrap_around_and_leave_out_those_in_use(sender: Sender) -> None:
    first = sender.submit().message.rid
    sender.requests._rid = 65535
    last, wrapped = sender.submit().message.rid, sender.submit().message.rid
    assert (last, wrapped) == (65535, 0)
    sender.requests._rid = first
    assert sender.submit().message.rid == first + 1


def test_the_first_id_is_random() -> None:
    assert len({Requests(print, print, random.Random(i), 0.0)._rid for i in range(50)}) > 40


def test_a_referrer_is_asked_for_help_early_and_with_each_repetition(sender: Sender) -> None:
    request = sender.submit(sender.new(referrer=REFERRER))
    sender.run_until(200.0)
    assert sender.times(REFERRER) == [0.5, 2.25, 4.5]
    helps = [message for _, message, to in sender.sent if to == REFERRER]
    assert all(Holepunch.decode(help_.value or b"").to == PEER for help_ in helps)
    assert len({help_.rid for help_ in helps} - {request.message.rid}) == 3
    assert request.traffic.datagrams == 6


def test_help_is_not_asked_for_what_was_answered(sender: Sender) -> None:
    sender.answer(sender.submit(sender.new(referrer=REFERRER)))
    sender.run_until(200.0)
    assert sender.times(REFERRER) == []


def test_help_can_wait_for_the_first_repetition(sender: Sender) -> None:
    sender.submit(sender.new(referrer=REFERRER, help_early=False))
    sender.run_until(200.0)
    assert sender.times(REFERRER) == [2.25, 4.5]


def test_a_holepunch_asks_for_help_at_once_under_its_own_id(sender: Sender) -> None:
    request = sender.submit(sender.new(command="_holepunch", referrer=REFERRER))
    sender.run_until(200.0)
    assert sender.times(REFERRER) == [0.0, 0.5, 2.25, 4.5]
    assert {message.rid for _, message, _ in sender.sent} == {request.message.rid}


def test_requests_wait_while_many_are_under_way_and_the_rate_is_high(sender: Sender) -> None:
    for _ in range(300):
        sender.submit()
    assert len(sender.sent) == int(requests.RATE_MAX * requests.RATE_WINDOW_S)
    first = sender.requests._in_flight[sender.sent[0][1].rid]
    sender.answer(first)
    assert len(sender.sent) == 250  # the rate is still high
    sender.run_until(107.6)
    assert len({message.rid for _, message, _ in sender.sent}) == 300
    sender.run_until(130.0)
    assert sender.requests.in_flight == 0
    assert len(sender.ended) == 300


def test_a_few_requests_never_wait(sender: Sender) -> None:
    for _ in range(1000):
        assert sender.answer(sender.submit())
    assert len(sender.sent) == 1000


def test_waiting_requests_are_bounded(sender: Sender) -> None:
    for _ in range(250 + requests.WAITING_MAX):
        sender.submit()
    with pytest.raises(DiscoveryError):
        sender.submit()
    assert len(sender.requests._waiting) == requests.WAITING_MAX


def test_urgent_requests_do_not_wait(sender: Sender) -> None:
    for _ in range(300):
        sender.submit()
    before = len(sender.sent)
    sender.requests.send(sender.new(), sender.now)
    assert len(sender.sent) == before + 1


def test_repetitions_are_held_back_while_too_much_is_sent(sender: Sender) -> None:
    sender.submit()
    sender.run_until(102.0)
    for _ in range(250):
        sender.submit()
    sender.run_until(102.3)
    assert sender.times()[251:] == []  # due at 2.25 s, but not now
    sender.run_until(108.0)
    assert min(sender.times()[251:]) > 4.0


def test_cancelled_requests_are_forgotten(sender: Sender) -> None:
    sent = sender.submit(sender.new(referrer=REFERRER))
    sender.requests.cancel(sent)
    assert not sender.answer(sent)
    for _ in range(250):
        last = sender.submit()
    waiting = sender.submit()
    sender.requests.cancel(waiting)
    assert last is not waiting
    sender.run_until(300.0)
    assert len(sender.ended) == 250
    assert sender.times(REFERRER) == []


def test_a_suspended_machine_asks_again_instead_of_giving_up(sender: Sender) -> None:
    sender.submit()
    sender.run_until(101.0)
    sender.now = 5000.0
    sender.requests.handle_timer(sender.now)
    assert sender.ended == []
    sender.run_until(5010.0)
    assert len(sender.sent) == 3
    assert len(sender.ended) == 1


def test_who_waits_is_told_once_that_the_answer_is_late(sender: Sender) -> None:
    late: list[float] = []
    sender.submit().on_late = lambda _request, now: late.append(now)
    sender.run_until(200.0)
    assert late == [102.25]


def test_the_rate_is_an_average_over_five_seconds() -> None:
    rate = requests._Rate()
    for i in range(100):
        rate.note(50.0 + i / 100)
    assert rate.per_second(51.0) == 20.0
    assert rate.per_second(54.9) == 20.0
    assert rate.per_second(56.5) == 0.0
    assert not rate._slots
