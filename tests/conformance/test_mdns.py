"""LAN discovery's packets, against @hyperswarm/discovery 2.0.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hypermultifeed.discovery.mdns_packets import (
    Offer,
    Packet,
    decode,
    encode_answer,
    encode_query,
    labels_in,
    topic_label,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dht-v4.json").read_text())
QUERY, ANNOUNCEMENT, ANSWER = VECTORS["mdns_cases"]
LABEL = topic_label(bytes.fromhex(QUERY["topic"]))
ID = bytes.fromhex(ANSWER["id"])
RECORDED = [
    datagram
    for run in ("swarm_run", "swarm_run_local_address")
    for datagram in VECTORS[run]["datagrams"]
    if datagram["kind"] == "mdns"
]


def test_a_query() -> None:
    assert encode_query(LABEL).hex() == QUERY["hex"]
    assert decode(bytes.fromhex(QUERY["hex"])) == Packet([LABEL], [])


@pytest.mark.parametrize(("case", "asker"), [(ANNOUNCEMENT, None), (ANSWER, "192.168.7.9")])
def test_an_answer(case: dict[str, Any], asker: str | None) -> None:
    assert encode_answer(LABEL, case["port"], ID, asker).hex() == case["hex"]
    assert decode(bytes.fromhex(case["hex"])) == Packet([], [Offer(LABEL, case["port"])])


@pytest.mark.parametrize("datagram", RECORDED, ids=lambda datagram: str(datagram["n"]))
def test_recorded_datagrams(datagram: dict[str, Any]) -> None:
    data, said = bytes.fromhex(datagram["hex"]), datagram["decoded"]
    label = (said["questions"] or said["answers"])[0]["name"].split(".")[0].encode()
    assert set(labels_in(data)) == {label}
    if said["questions"]:
        assert decode(data) == Packet([label], [])
        assert encode_query(label) == data
        return
    port, text, *asker = said["answers"]
    assert decode(data) == Packet([], [Offer(label, port["port"])])
    id_ = bytes.fromhex(text["txt"][0]).removeprefix(b"id=")
    assert encode_answer(label, port["port"], id_, *[record["addr"] for record in asker]) == data
