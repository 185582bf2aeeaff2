"""Other words for the same thing, among packages. Pure.

Written from general knowledge of what JavaScript packages are called and do; add freely: a group a
line, words apart by commas. A group may hold several words for one: ``command line``.
"""

from __future__ import annotations

from typing import Final

from pkgstats.search.text import stems, words

PHRASE_WORDS_MAX: Final = 3
"""Words of the longest phrase that the groups hold."""

_SAME: Final = """
i18n, internationalization, internationalisation
l10n, localization, localisation
a11y, accessibility, accessible
k8s, kubernetes
auth, authentication, authenticate
authz, authorization
config, configuration, settings, options, preferences
cli, command line, command-line interface
regex, regexp, regular expression
js, javascript
ts, typescript
py, python
db, database
color, colour
gray, grey
postgres, postgresql, pg
mongo, mongodb
mysql, mariadb
env, environment, dotenv
uuid, guid, unique id, unique identifier
dir, directory, folder
docs, documentation, doc
e2e, end to end
jwt, json web token
img, image, picture
args, arguments, argv
param, parameter
util, utils, utilities, helpers, toolkit, tools
lib, library
fs, file system, filesystem
xhr, xmlhttprequest
ws, websocket, web socket
sse, server sent events, eventsource
md, markdown
yml, yaml
html, markup
css, stylesheet, styles
ui, user interface, gui
ssr, server side rendering
csv, comma separated values, tsv
xls, xlsx, excel, spreadsheet
pdf, portable document
zip, unzip, archive
gzip, gunzip, zlib
ip, ip address
url, uri
orm, object relational mapping, object relational mapper
di, dependency injection, inversion of control
ast, abstract syntax tree, syntax tree
cron, crontab, scheduled jobs
queue, job queue, task queue
validate, check, verify, assert
fast, speedy, quick, rapid, high performance, blazing
small, tiny, lightweight, minimal, micro, mini, minimalist, compact
simple, easy, basic, straightforward
create, generate, make, build, construct, produce
remove, delete, strip, drop, erase
merge, combine, join, concat
convert, transform, translate
transpile, compile
get, fetch, retrieve, obtain
find, search, locate, lookup
start, begin, launch, run
stop, halt, terminate, kill
change, modify, alter, edit
display, show, render
print, output, log
error, exception
text, string
list, array
dictionary, map, hashmap
function, method
object, hash
number, numeric, integer
character, char
wrap, wrapper
spinner, loader, loading indicator
modal, dialog, popup
tooltip, popover
dropdown, select, combobox
button, btn
picker, chooser
toast, notification, snackbar, alert
carousel, slider, slideshow
autocomplete, typeahead, autosuggest
drag and drop, dnd, draggable, sortable
infinite scroll, virtual scroll, virtualized list, windowing
clipboard, copy paste
date, time, datetime, calendar
timezone, tz, time zone
debounce, throttle
memoize, memoization, cache
clone, deep clone, copy, deep copy, duplicate
compare, diff, difference, equal
random, rng
encrypt, cipher, encryption, crypto, cryptography
hash, digest, checksum
password, passphrase, credentials
compress, minify, uglify, shrink
bundle, bundler
lint, linter
format, formatter, prettify, beautify, pretty print
test, testing, spec
mock, stub, fake
coverage, code coverage
benchmark, performance test
log, logger, logging
debug, debugger, debugging
monitor, observability, monitoring
trace, tracing, telemetry
email, mail, e-mail, smtp
sms, text message
scrape, scraper, scraping, crawl, crawler
upload, file upload, multipart
download, downloader
stream, streaming
buffer, bytes, binary
parse, parser, decode, deserialize
serialize, stringify, encode
template, templating
route, router, routing
middleware, plugin, extension, addon
hook, hooks
state management, store, state container
event emitter, pubsub, event bus, observable
promise, async, asynchronous
watch, watcher, file watcher
glob, wildcard, pattern matching
path, filepath
temp, temporary, tmp
rate limit, rate limiting, throttle, ratelimit, ratelimiter
retry, backoff
http client, http request, ajax, fetch
http server, web server, web framework
web, browser
graph, chart, plot, charts
table, grid, datagrid, data table
icon, icons
font, typeface
emoji, emoticon
animation, animate, transition, motion
geo, geolocation, geographic
map, maps
qr code, qrcode
barcode, ean
captcha, recaptcha
oauth, oauth2, openid, single sign on, sso
cookie, cookies, session
proxy, reverse proxy
dns, domain name
shell, terminal, console, tty
prompt, inquirer, interactive prompt
progress bar, progress, progressbar
git, github
semver, semantic version, version
license, licence
monorepo, workspace, workspaces
scaffold, scaffolding, boilerplate, starter, generator
deploy, deployment
speech, voice, tts, text to speech
llm, language model, gpt, openai
machine learning, ml, neural network
matrix, vector, linear algebra
big number, bignumber, bigint, bignum, arbitrary precision, decimal
currency, money
phone, telephone, phone number
sanitize, sanitizer, xss, escape
highlight, syntax highlighting, highlighter
immutable, immutability, persistent
"""


def _table(text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """For the stems of each phrase of a group, the stems of the others."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for line in text.strip().splitlines():
        phrases = list(dict.fromkeys(tuple(stems(words(phrase))) for phrase in line.split(",")))
        for phrase in phrases:
            others = found.setdefault(" ".join(phrase), {})
            others.update((other, None) for other in phrases if other != phrase)
    return {phrase: tuple(others) for phrase, others in found.items()}


SAME: Final = _table(_SAME)
"""Stems of a phrase, apart by spaces -> stems of phrases that mean the same."""
