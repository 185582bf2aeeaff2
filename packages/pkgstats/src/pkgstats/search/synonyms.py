"""Other words for the same thing, and words for things close by, among packages. Pure.

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

_RELATED: Final = """
csv, delimited, dsv
validate, schema, validator
argument, argv, option, flag, command
command line, arguments, option, terminal
test, assert, runner
orm, sql, query builder, database, entity
database, sql, sqlite, postgres, mysql
state, store
state management, store, state, atom, reactive
websocket, realtime, socket
http server, framework
queue, redis, worker, job, message
cron, schedule, scheduler, job
cache, lru, memoize, ttl
markdown, commonmark, remark, mdx
image, jpeg, png, resize, thumbnail
resize, scale, crop
password, bcrypt, argon2, hash
encrypt, aes, rsa, nacl
color, ansi
terminal, ansi, tty, console, cli
deep, nested, recursive
clone, deep, copy
merge, deep, extend, assign
uuid, ulid, identifier
unique, uuid, id
process, child process, spawn, exec
command, shell, exec, spawn
file, fs, filesystem
watch, inotify
directory, path
delete, rm
scrape, html
browser, headless, automation
email, mailer, send
graphql, schema
authentication, login, jwt, session
upload, multipart, form
form, input, field
chart, visualization, canvas, svg
animation, tween, spring, easing
drag, drop, sortable
table, datatable, column
editor, wysiwyg, rich text, contenteditable
rich text, editor, wysiwyg
3d, webgl
bundle, module
transpile, typescript
lint, rules
mock, intercept
retry, backoff, attempt
rate limit, limiter, throttle, concurrency
concurrency, limit, parallel, pool, queue
promise, concurrency, await
event, emitter, listener, pubsub
xml, sax, dom, feed
yaml, json, config
json, parse, schema
pdf, document, printer
excel, workbook, sheet
zip, compress, tar, deflate, extract
locale, translation, i18n, intl
translate, i18n, locale
environment, variables
configuration, rc, env
dependency injection, container, ioc, inject
router, route, navigation, path
virtual dom, vdom, react
component, ui, widget
tooltip, floating, position
select, autocomplete, dropdown
calendar, datepicker, date picker
date picker, datepicker, calendar
notification, toast, push
bignumber, precision, math, decimal
math, arithmetic, calculation
random, seed, prng
string, text, word, letter
case, camelcase, kebab, snake, capitalize
slug, slugify, permalink
escape, html, entities, encode
fuzzy, search, match
search, index, full text
diff, patch, delta
geo, geojson, coordinates, distance
audio, sound, music, player
video, player, hls, ffmpeg
serial, port, usb, bluetooth
s3, aws, storage, bucket
redis, cache
kafka, message, broker, amqp
mqtt, iot, broker
monorepo, packages
changelog, release, conventional commits
release, publish, version, semantic
git hook, pre commit, lint staged
process manager, daemon, forever
polyfill, shim, ponyfill, core
type check, typeof, is, kind
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


def _related_table(text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """As `_table`, but only the first of each line leads to the others: csv to papaparse."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for line in text.strip().splitlines():
        first, *others = [tuple(stems(words(phrase))) for phrase in line.split(",")]
        others = [other for other in others if other != first]
        found.setdefault(" ".join(first), {}).update((other, None) for other in others)
    return {phrase: tuple(others) for phrase, others in found.items()}


SAME: Final = _table(_SAME)
"""Stems of a phrase, apart by spaces -> stems of phrases that mean the same."""

RELATED: Final = _related_table(_RELATED)
"""Stems of a phrase -> stems of what stands for things close by."""
