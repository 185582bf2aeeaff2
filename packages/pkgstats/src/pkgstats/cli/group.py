"""``pkgstats group``: whose writers this peer believes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pkgstats.cli.options import data_option, json_option, parsed_key
from pkgstats.cli.output import cell, console, number, show_json, table
from pkgstats.cli.running import run
from pkgstats.group import Group, GroupError
from pkgstats.node import Node
from pkgstats.records.model import CORES, ROLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pkgstats.records.model import GroupList, Member

KEY_ARGUMENT = click.argument("key", callback=parsed_key, metavar="WRITER")


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
    listed = run(in_node(folder, found, list_of))
    if as_json:
        told = {"group": found.key, "owner": found.key_pair is not None, "list": listed}
        show_json(told)
        return
    whose = "yours" if found.key_pair else "somebody else's"
    console().print(cell(f"group {found.key.hex()}, {whose}"), soft_wrap=True)
    show_list(listed)


@group.command()
@KEY_ARGUMENT
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
    """Believe a writer from now on, or give it another role."""
    change(folder, as_json, lambda node: node.admit(key, role))


@group.command()
@KEY_ARGUMENT
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="What it has said so far counts no longer, either.",
)
@data_option
@json_option
def revoke(folder: Path, key: bytes, everything: bool, as_json: bool) -> None:
    """Believe nothing more of what a writer will say; what it has said stays."""
    change(folder, as_json, lambda node: node.revoke(key, {} if everything else None))


def change(folder: Path, as_json: bool, how: Callable[[Node], Awaitable[GroupList]]) -> None:
    """Publish another list, and show it."""
    listed = run(in_node(folder, group_in(folder), how))
    if as_json:
        show_json(listed)
    else:
        show_list(listed)


def group_in(folder: Path) -> Group:
    """The folder's group.

    Raises:
        GroupError: it has none.
    """
    found = Group.find(folder)
    if found is None:
        raise GroupError(f"{folder} has no group yet; `pkgstats group create` makes one")
    return found


async def in_node(folder: Path, found: Group, work: Callable[[Node], Awaitable[Any]]) -> Any:
    """Do something in a node that talks to nobody."""
    async with Node(folder, found) as node:
        return await work(node)


async def list_of(node: Node) -> GroupList | None:
    """The newest list that is here."""
    await node.catch_up()
    return node.group_list()


def show_list(listed: GroupList | None) -> None:
    """The members, as a table."""
    if listed is None:
        click.echo("nobody is admitted yet: `pkgstats group admit WRITER`", err=True)
        return
    columns = [("writer", "fold"), ("role", "left"), ("counts", "left")]
    rows = [(one.key.hex(), one.role, counted(one)) for one in listed.members]
    console().print(table(columns, rows))


def counted(member: Member) -> str:
    """How much of what a member says counts."""
    if member.until is None:
        return "all"
    parts = [f"{kind} {number(member.until[kind])}" for kind in CORES if member.until.get(kind)]
    return f"revoked; up to block: {', '.join(parts)}" if parts else "revoked; nothing"
