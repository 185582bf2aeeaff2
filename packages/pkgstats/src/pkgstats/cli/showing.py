"""How verbs show what a crawl or an import tells."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import click

from pkgstats.cli.output import clean, number, remarks, short, show_json
from pkgstats.crawler.crawl import Outcome, Progress
from pkgstats.crawler.recheck import Rechecked
from pkgstats.indexer import now_ms
from pkgstats.plain import plain
from pkgstats.runs import Step
from pkgstats.transfer import Imported

if TYPE_CHECKING:
    from rich import progress

    from pkgstats.crawler.follow import Event
    from pkgstats.runs import Told
    from pkgstats.transfer import Listed

SHOWN: Final = 20
"""Failures, or requests of a dry run, that are shown one by one."""


class Shown:
    """Shows what a run tells: bars while it goes on, then what came of it."""

    def __init__(self, bars: progress.Progress, as_json: bool) -> None:
        """Take the bars, which their caller shows."""
        self._bars = bars
        self._as_json = as_json
        self._tasks: dict[str, progress.TaskID] = {}
        self.imported: Imported | None = None

    def __call__(self, told: Told) -> None:
        """Show it."""
        match told:
            case Progress():
                self._bar("looking", told.done, told.total, clean(told.name)[:24])
            case Step():
                what = "sharing rows" if told.what == "sharing" else "indexing packages"
                self._bar(what, told.done, told.total, what)
            case Rechecked():
                show_rechecked(told, self._as_json)
            case Outcome():
                show_outcome(told, self._as_json)
            case Imported():
                self.imported = told

    def event(self, event: Event) -> None:
        """Show what following has come to."""
        show_event(event.what, event.text, self._as_json)

    def _bar(self, key: str, done: int, total: int, title: str) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(title, total=total)
        self._bars.update(self._tasks[key], description=title, completed=done, total=total)


def show_rechecked(found: Rechecked, as_json: bool) -> None:
    """What came of looking at others' records."""
    if as_json:
        show_json(found)
        return
    click.echo(
        f"{number(found.checked)} records of others looked at again, {number(found.wrong)} wrong,"
        f" {number(found.unclear)} unclear"
    )
    for writer, what in found.errors[:SHOWN]:
        click.echo(f"wrong: {short(writer)} {clean(what)}")
    for writer in found.aside:
        click.echo(f"set aside: {short(writer)}; `pkgstats writers` shows the scores")
    if found.private:
        click.echo(f"{number(found.private)} not asked about: their scopes are private", err=True)


def show_event(what: str, text: str, as_json: bool) -> None:
    """One line of following."""
    if as_json:
        show_json({"at": now_ms(), "what": what, "text": text})
        sys.stdout.flush()
    else:
        remarks.print(f"{time.strftime('%H:%M:%S')} {clean(text)}", markup=False)


def show_outcome(outcome: Outcome, as_json: bool) -> None:
    """What came of a run; it has failed if nothing could be looked at."""
    if as_json:
        show_json(outcome)
    else:
        click.echo(
            f"{number(outcome.looked)} looks: {number(outcome.said)} new records,"
            f" {number(outcome.rows)} rows of the list"
        )
        for title, names in (("gone", outcome.gone), ("not known there", outcome.unknown)):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                click.echo(f"{title}: {clean(', '.join(names[:SHOWN]))}{more}")
        for name, why in list(outcome.failed.items())[:SHOWN]:
            click.echo(clean(f"{name}: {why}"), err=True)
        if len(outcome.failed) > SHOWN:
            click.echo(f"and {len(outcome.failed) - SHOWN} more went wrong", err=True)
        for remark in outcome.remarks:
            click.echo(clean(remark), err=True)


def show_listed(listed: Listed, as_json: bool) -> None:
    """What a file holds."""
    if as_json:
        told = {"rows": len(listed.rows), "repeated": listed.repeated, "bad": listed.bad}
        show_json({**told, "reasons": listed.reasons})
        return
    click.echo(f"{number(len(listed.rows))} packages")
    show_bad(listed)


def show_imported(done: Imported, listed: Listed, as_json: bool) -> None:
    """What came of an import."""
    if as_json:
        told = {"repeated": listed.repeated, "bad": listed.bad, "reasons": listed.reasons}
        show_json({**plain(done), **told})
        return
    click.echo(
        f"{number(done.rows)} packages, {number(done.new)} of them new or changed:"
        f" {number(done.blocks)} blocks, {number(done.bytes)} bytes"
    )
    show_bad(listed)


def show_bad(listed: Listed) -> None:
    """What was left out of a file."""
    if listed.repeated:
        click.echo(f"{number(listed.repeated)} lines name a package again", err=True)
    if listed.bad:
        click.echo(f"{number(listed.bad)} lines are left out", err=True)
        for reason in listed.reasons:
            click.echo(f"  {clean(reason)}", err=True)
