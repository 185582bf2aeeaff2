from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pkgstats.charts.mesh import NODES_MAX, MeshNode, mesh

from .svg import assert_sound, texts

NODES = st.lists(
    st.builds(
        MeshNode,
        st.text(max_size=40),
        st.lists(st.floats(-1, 2, allow_nan=False), max_size=10).map(tuple),
        st.floats(0, 1e12),
        st.booleans(),
    ),
    max_size=NODES_MAX + 3,
)


def drawn(writers: list[MeshNode], peers: list[MeshNode]) -> str:
    return mesh("here", writers, peers, chart_id="n", title="Network", description="All of it.")


def test_writers_and_peers_stand_on_their_sides_with_what_they_share() -> None:
    writer = MeshNode("the writer", (1.0, 0.5, 0.0))
    gone = MeshNode("gone", (1.0,), on=False)
    peer = MeshNode("a peer", (1.0, 0.0), rate=200_000)
    root = assert_sound(drawn([writer, gone], [peer]))
    assert texts(root) == ["Writers", "Peers", "the writer", "gone", "a peer", "here"]
    assert [one.get("fill") for one in root.iter("circle")] == ["currentColor", "none"]
    frames = [int(one.get("x", "")) for one in root.iter("rect")]
    assert frames[0] == frames[1] < frames[2]
    wires = [one for one in root.iter("path") if "C" in one.get("d", "")]
    assert [one.get("stroke-dasharray") is None for one in wires] == [True, False, True]
    assert float(wires[2].get("stroke-width", "")) > float(wires[0].get("stroke-width", ""))


def test_of_too_many_the_first_are_drawn() -> None:
    root = assert_sound(drawn([MeshNode("w", (1.0,))] * (NODES_MAX + 5), []))
    assert len(list(root.iter("rect"))) == NODES_MAX


@settings(deadline=None)
@given(NODES, NODES)
def test_anything_is_a_sound_picture(writers: list[MeshNode], peers: list[MeshNode]) -> None:
    assert_sound(drawn(writers, peers))
