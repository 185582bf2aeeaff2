"""``pkgstats digest --post``: the digest's packages as posts, to a stream, a file or a server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pkgstats.cli.output import clean, number, show_json
from pkgstats.cli.running import run
from pkgstats.posting.choosing import choose
from pkgstats.posting.memory import FILE, Memory
from pkgstats.posting.pace import DAY_POSTS, DAY_POSTS_MAX, GAP_S, Pace
from pkgstats.posting.poster import LostError, PostError
from pkgstats.posting.running import Posting
from pkgstats.posting.to_file import FilePoster
from pkgstats.posting.to_mastodon import TOKEN_MAX, VISIBILITIES, MastodonPoster
from pkgstats.posting.to_stream import StreamPoster
from pkgstats.syndication import web_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from pkgstats.digest import Digest
    from pkgstats.posting.poster import Poster

    Verb = Callable[..., Any]

TOKEN_SETTING: Final = "PKGSTATS_POST_TOKEN"  # noqa: S105 - its name

EVERY_MAX_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for; each an option of the same name."""

    to: str
    dry_run: bool
    link_to: str
    visibility: str
    token_file: Path | None
    every: float | None
    per_day: int

    @property
    def is_address(self) -> bool:
        """Whether posts go to a server."""
        return "://" in self.to

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: it does not.
        """
        if not self.to:
            raise click.UsageError("say where to post: --to -, --to FILE or --to ADDRESS")
        if self.link_to and not web_address(self.link_to):
            raise click.UsageError("--link-to takes an address like https://packages.example")

    def poster(self) -> Poster:
        """Who the posts are handed to.

        Raises:
            PostError: the address or the token is none.
        """
        if self.is_address:
            token = "none" if self.dry_run else token_of(self.token_file)
            return MastodonPoster(self.to, token, visibility=self.visibility)
        if self.to == "-":
            return StreamPoster(lambda text: click.echo(text, nl=False))
        return FilePoster(Path(self.to))

    def pace(self) -> Pace:
        """How often is posted; who does not say it posts to files at once."""
        gap = GAP_S if self.is_address else 0.0
        return Pace(gap if self.every is None else self.every, self.per_day)


_OPTIONS: Final = (
    click.option("--post", is_flag=True, help="Post packages that were not posted yet, see --to."),
    click.option(
        "--to",
        metavar="-|FILE|ADDRESS",
        default="",
        help="Standard output, a file to append to, or a server with Mastodon's status API,"
        f" whose token is in ${TOKEN_SETTING}.",
    ),
    click.option("--dry-run", is_flag=True, help="Print what would be posted, and post nothing."),
    click.option(
        "--link-to",
        metavar="ADDRESS",
        default="",
        help="Posts link to a package's page below this address, of pages of your own.",
    ),
    click.option(
        "--visibility",
        default=VISIBILITIES[0],
        show_default=True,
        type=click.Choice(VISIBILITIES),
        help="Who may see posts on a server.",
    ),
    click.option(
        "--token-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"Where the token is, instead of ${TOKEN_SETTING}.",
    ),
    click.option(
        "--every",
        metavar="SECONDS",
        type=click.FloatRange(0, EVERY_MAX_S),
        help=f"Between two posts.  [default: {GAP_S:.0f} for a server, else 0]",
    ),
    click.option(
        "--per-day",
        default=DAY_POSTS,
        show_default=True,
        type=click.IntRange(1, DAY_POSTS_MAX),
        help="Posts in 24 hours at most; the next run goes on.",
    ),
)


def posting_options(verb: Verb) -> Verb:
    """Add the options of posting to a verb."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def token_of(file: Path | None) -> str:
    """The token, from a file or the environment: a command's words can be read by other users.

    Raises:
        PostError: there is none.
    """
    if file is None:
        if token := os.environ.get(TOKEN_SETTING):
            return token
        raise PostError(f"a server needs a token: set ${TOKEN_SETTING}, or give --token-file FILE")
    try:
        with file.open(encoding="ascii", errors="replace") as source:
            return source.read(TOKEN_MAX + 1)
    except OSError as error:
        raise PostError(f"{file}: {error.strerror or error}") from error


def post(folder: Path, digest: Digest, wanted: Wanted, now: float, *, as_json: bool) -> None:
    """Post what was not posted yet, or say what that would be.

    Args:
        folder: of the node; what was posted is remembered in it.
        digest: what there is.
        wanted: what was asked for.
        now: seconds since 1970.
        as_json: answer so.

    Raises:
        ClickException: something is wrong with posting.
    """
    try:
        do = show_posts if wanted.dry_run else make_posts
        do(folder / FILE, digest, wanted, now, as_json)
    except LostError as error:
        advice = "; if it was not posted, a run within 50 minutes does it, and never twice"
        raise click.ClickException(clean(str(error)) + advice) from error
    except PostError as error:
        raise click.ClickException(clean(str(error))) from error


def show_posts(file: Path, digest: Digest, wanted: Wanted, now: float, as_json: bool) -> None:
    """What would be posted, as many as may be posted in a day from now."""
    poster = wanted.poster()
    with Memory.peek(file, poster.place) as memory:
        posts = choose(digest, memory.known(now), wanted.link_to, social=poster.social)
        unsure = [one.post.text for one in memory.unsure(now - poster.knows_again_s)]
        room = max(0, wanted.per_day - len(memory.sent(now)))
    texts = unsure + [one.text for one in posts[:room]]
    if as_json:
        show_json({"would_post": texts, "left": max(0, len(posts) - room)})
        return
    for text in texts:
        click.echo(f"{text}\n")
    click.echo(f"{number(len(texts))} would be posted to {clean(poster.place)}", err=True)


def make_posts(file: Path, digest: Digest, wanted: Wanted, now: float, as_json: bool) -> None:
    """Post."""
    poster = wanted.poster()
    with Memory(file, poster.place) as memory:
        posts = choose(digest, memory.known(now), wanted.link_to, social=poster.social)
        posting = Posting(
            poster, memory, wanted.pace(), told=lambda text: click.echo(clean(text), err=True)
        )
        done = run(posting.run(posts))
    if as_json:
        show_json({"posted": done.made, "left": done.left})
        return
    later = f"; {number(done.left)} more another day" if done.left else ""
    click.echo(f"{number(len(done.made))} posted to {clean(poster.place)}{later}", err=True)
