from __future__ import annotations

from pkgstats.posting.to_stream import StreamPoster


async def test_posts_are_written_with_a_line_between() -> None:
    written: list[str] = []
    poster = StreamPoster(written.append)
    await poster.send("a\n\nb", "k")
    await poster.send("c", "l")
    assert "".join(written) == "a\n\nb\n\nc\n\n"
    assert poster.place == "-"
