"""What verbs let a node do that takes a while: a crawl, an import; each tells how it goes.

The same work runs in a node of the verb's own, and in a `serve` that has the folder; then what it
tells comes through the door, see `pkgstats.web.lines`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pkgstats import transfer
from pkgstats.crawler.crawl import Outcome, Progress
from pkgstats.crawler.recheck import Rechecked
from pkgstats.transfer import Imported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pkgstats.crawler.asked import Asked
    from pkgstats.listing import Row
    from pkgstats.node import Node
    from pkgstats.sources.addresses import Addresses


class Step(NamedTuple):
    """So much of a list is done.

    Attributes:
        what: ``sharing`` rows, or ``indexing`` packages.
        done, total: of them.
    """

    what: str
    done: int
    total: int


Told = Progress | Outcome | Rechecked | Step | Imported

Tell = Callable[[Told], None]
"""Takes what a run tells, from any thread."""

KINDS: Final = {kind.__name__: kind for kind in (Progress, Outcome, Rechecked, Step, Imported)}


async def crawl(node: Node, asked: Asked, addresses: Addresses, tell: Tell) -> None:
    """Look at what was asked for, and take it into the view and the search index.

    Raises:
        SourceError: a source is away, or today's requests are used up.
    """
    crawling = await node.crawling()
    if asked.recheck:
        tell(await crawling.recheck(addresses))
    outcome = await crawling.once(asked, addresses, tell)
    if outcome is not None:
        tell(outcome)
    await node.index()


async def import_rows(node: Node, rows: Sequence[Row], observed_at: int, tell: Tell) -> None:
    """Share the rows of a list, and take them into the view and the search index.

    Args:
        node: open.
        rows: see `transfer.read_list`.
        observed_at: when all of this was so, ms since 1970, UTC.
        tell: how it goes.
    """
    memory = (await node.crawling()).memory
    done = await transfer.import_rows(
        await node.own_writer(),
        memory,
        list(rows),
        observed_at=observed_at,
        on_progress=lambda at, total: tell(Step("sharing", at, total)),
    )
    await node.index(lambda at: tell(Step("indexing", at, len(rows))))
    tell(done)


def read_told(kind: str, told: dict[str, Any]) -> Told:
    """What was told, out of the JSON that `plain.plain` has made of it.

    Raises:
        KeyError, TypeError, ValueError: another version has written it.
    """
    if kind == Rechecked.__name__:
        errors = [(bytes.fromhex(writer), what) for writer, what in told["errors"]]
        aside = [bytes.fromhex(writer) for writer in told["aside"]]
        told = {**told, "errors": errors, "aside": aside}
    found: Told = KINDS[kind](**told)
    return found
