"""``pkgstats group``: whose writers this peer believes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pkgstats.cli.asking import ask_serve
from pkgstats.cli.folder import opened
from pkgstats.cli.options import data_option, json_option, parsed_key
from pkgstats.cli.output import cell, clean, console, number, short, show_json, table
from pkgstats.cli.running import run
from pkgstats.group import Group, GroupError
from pkgstats.membership import NOT_OWNER
from pkgstats.node import Node
from pkgstats.plain import plain
from pkgstats.records.model import CORES, ROLES, Member

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from pkgstats.records.model import GroupList
    from pkgstats.view.reading import View


@click.group()
def group() -> None:
    """Whose writers count: make a group, show its list, admit and revoke writers."""


@group.command()
@data_option
@json_option
def create(folder: Path, as_json: bool) -> None:
    """Make a group of your own in a new folder; its key is for others to join."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Group.create(folder)
    if as_json:
        show_json({"group": made.key, "folder": str(folder)})
        return
    click.echo(made.key.hex())
    click.echo(
        f"Give this key to those who are to read. What says that you own it is in {folder}:"
        " keep a copy of that file, there is no other.",
        err=True,
    )


@group.command()
@data_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Show the group's key and its list."""
    found = group_in(folder)
    with opened(folder) as here:
        listed = here.view.group_list()
    if as_json:
        told = {"group": found.key, "owner": found.key_pair is not None, "list": listed}
        show_json(told)
        return
    whose = "yours" if found.key_pair else "somebody else's"
    console().print(cell(f"group {found.key.hex()} ({whose})"), soft_wrap=True)
    show_list(listed)


@group.command()
@click.argument("key", callback=parsed_key, metavar="WRITER")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=ROLES[0],
    show_default=True,
    help="crawler: all it says counts; watcher: what it says of single packages; notes: nothing.",
)
@data_option
@json_option
def admit(folder: Path, key: bytes, role: str, as_json: bool) -> None:
    """Believe a writer from now on, or give it another role.

    WRITER is its key, which `pkgstats serve --write` prints where it writes.
    """
    found = owned_group(folder)
    listed = ask_serve(folder, "POST", "admit", key=key.hex(), role=role)
    if listed is None:
        listed = plain(run(in_node(folder, found, lambda node: node.membership.admit(key, role))))
    show_changed(listed, as_json)


@group.command()
@click.argument("writer")
@click.option("--all", "everything", is_flag=True, help="Nor what it has said so far.")
@data_option
@json_option
def revoke(folder: Path, writer: str, everything: bool, as_json: bool) -> None:
    """Believe nothing more of what a writer will say; what it has said stays.

    WRITER is its key, or how that begins.
    """
    found = owned_group(folder)
    with opened(folder) as here:
        key = member_called(here.view.group_list(), writer)
    options = {"key": key.hex()} | ({"all": "1"} if everything else {})
    until: dict[str, int] | None = {} if everything else None
    listed = ask_serve(folder, "POST", "revoke", **options)
    if listed is None:
        listed = plain(run(in_node(folder, found, lambda node: node.membership.revoke(key, until))))
    show_changed(listed, as_json)


@group.command()
@click.argument("writer")
@data_option
@json_option
def forgive(folder: Path, writer: str, as_json: bool) -> None:
    """Begin the score of a writer anew on this peer: set aside, it counts again.

    WRITER is its key, or how that begins. Other peers keep their own scores.
    """
    with opened(folder) as here:
        key = writer_called(here.view, writer)
    if ask_serve(folder, "POST", "forgive", key=key.hex()) is None:
        run(forgive_in(folder, group_in(folder), key))
    if as_json:
        show_json({"forgiven": key})
    else:
        click.echo(f"{short(key)} begins anew")


async def forgive_in(folder: Path, found: Group, key: bytes) -> None:
    """Forgive in a node of our own."""
    async with Node(folder, found) as node:
        await node.catch_up()
        await node.forgive(key)


def group_in(folder: Path) -> Group:
    """The folder's group.

    Raises:
        GroupError: it has none.
    """
    found = Group.find(folder)
    if found is None:
        raise GroupError(f"{folder} has no group yet; `pkgstats group create` makes one")
    return found


def owned_group(folder: Path) -> Group:
    """The folder's group, of which the user is the owner.

    Raises:
        GroupError: it has none, or somebody else's.
    """
    found = group_in(folder)
    if found.key_pair is None:
        raise GroupError(NOT_OWNER)
    return found


def member_called(listed: GroupList | None, text: str) -> bytes:
    """The member whose key begins so.

    Raises:
        GroupError: there is none, or there are several.
    """
    keys = [member.key for member in listed.members] if listed else []
    return called(keys, text, "member", "`pkgstats group show` lists them")


def writer_called(view: View, text: str) -> bytes:
    """The writer whose key begins so.

    Raises:
        GroupError: there is none, or there are several.
    """
    keys = [one.key for one in view.writers()]
    return called(keys, text, "writer", "`pkgstats writers` lists them")


def called(keys: Iterable[bytes], text: str, what: str, advice: str) -> bytes:
    """The key that begins so.

    Raises:
        GroupError: there is none, or there are several.
    """
    fits = [key for key in keys if key.hex().startswith(text.lower())]
    if len(fits) != 1:
        many = f"{len(fits)} {what}s' keys begin" if fits else f"no {what}'s key begins"
        raise GroupError(f"{many} with {clean(text[:64])!r}; {advice}")
    return fits[0]


async def in_node(
    folder: Path, found: Group, work: Callable[[Node], Awaitable[GroupList]]
) -> GroupList:
    """Do something in a node that talks to nobody."""
    async with Node(folder, found) as node:
        listed = await work(node)
        await node.index()
        return listed


def show_changed(listed: dict[str, Any], as_json: bool) -> None:
    """Show the list that was published."""
    if as_json:
        show_json(listed)
        return
    members = [
        Member(key=bytes.fromhex(one["key"]), role=one["role"], until=one["until"])
        for one in listed["members"]
    ]
    show_members(members)


def show_list(listed: GroupList | None) -> None:
    """The members, as a table."""
    if listed is None:
        click.echo("nobody is admitted yet; `pkgstats group admit WRITER` does it", err=True)
        return
    show_members(listed.members)


def show_members(members: Sequence[Member]) -> None:
    """Members as a table."""
    columns = [("writer", "fold"), ("role", "left"), ("what counts", "left")]
    rows = [(one.key.hex(), one.role, counted(one)) for one in members]
    out = console()
    out.print(table(columns, rows, out=out))


def counted(member: Member) -> str:
    """How much of what a member says counts."""
    if member.until is None:
        return "all"
    parts = [f"{kind} {number(member.until[kind])}" for kind in CORES if member.until.get(kind)]
    return f"revoked; up to block: {', '.join(parts)}" if parts else "revoked; nothing"
