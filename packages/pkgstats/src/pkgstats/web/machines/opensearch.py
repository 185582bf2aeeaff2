"""OpenSearch 1.1: a browser's own search field finds packages, and names while one types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from pkgstats.web import addresses
from pkgstats.web.render import SITE
from pkgstats.web.respond import base_of, lasting

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pkgstats.web.site import Site

SUGGESTED: Final = 8
"""Names that are suggested."""

TYPED_MAX: Final = 214
"""Characters that are read of what was typed: no name is longer."""

DESCRIPTION_TYPE: Final = "application/opensearchdescription+xml"

SUGGESTIONS_TYPE: Final = "application/x-suggestions+json"

DESCRIPTION: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
<ShortName>{site}</ShortName>
<Description>Find npm packages</Description>
<InputEncoding>UTF-8</InputEncoding>
<Url type="text/html" template="{base}/search?q={{searchTerms}}"/>
<Url type="application/json" template="{base}/search.json?q={{searchTerms}}"/>
<Url type="application/atom+xml" template="{base}/search.atom?q={{searchTerms}}"/>
<Url type="{suggestions}" template="{base}/suggest?q={{searchTerms}}"/>
<Url type="{itself}" rel="self" template="{base}/opensearch.xml"/>
</OpenSearchDescription>
"""


async def description(site: Site, request: Request) -> Response:
    """What a browser has to know to search here, with the address by which it has come."""
    text = DESCRIPTION.format(
        site=SITE,
        base=escape(base_of(site, request), {'"': "&quot;"}),
        suggestions=SUGGESTIONS_TYPE,
        itself=DESCRIPTION_TYPE,
    )
    return lasting(request, text.encode(), DESCRIPTION_TYPE)


async def suggest(site: Site, request: Request) -> Response:
    """``[q, [names], [summaries], [addresses]]``: names that begin like this."""
    typed = request.query_params.get("q", "")[:TYPED_MAX]
    found = await site.search.suggest(typed.strip(), SUGGESTED) if typed.strip() else []
    base = base_of(site, request)
    told = [
        typed,
        [one.name for one in found],
        [one.summary for one in found],
        [base + addresses.package(one.name) for one in found],
    ]
    return lasting(request, json.dumps(told, ensure_ascii=False).encode(), SUGGESTIONS_TYPE)
