#!/usr/bin/env node
'use strict'
// Hypercores by name, in a folder or in memory, replicated over TCP on loopback.

const hypercore = require('hypercore')
const Protocol = require('hypercore-protocol')
const ram = require('random-access-memory')
const { serve, call, emit, lookUp } = require('./lib/commands')
const { Connections } = require('./lib/connections')
const { feedCommands, describeFeed, feedOptions, hex } = require('./lib/feeds')

const feeds = new Map()
const memories = new Map()

// Memory that outlives the hypercore over it, so that it can be opened again.
function memory (name) {
  if (!memories.has(name)) memories.set(name, new Map())
  const files = memories.get(name)
  return file => {
    if (!files.has(file)) files.set(file, ram())
    return files.get(file)
  }
}

// args: feeds (names, may be empty), options (of replicate), seed (of the Noise key), refuse (bool),
// extensions (names at the level of the stream).
function makeStream (initiator, { feeds: names = [], options = {}, seed, refuse, extensions = [] }) {
  const opts = { ...options }
  if (seed) opts.keyPair = Protocol.keyPair(Buffer.from(seed, 'hex'))
  if (refuse) opts.onauthenticate = (key, done) => done(new Error('not welcome'))
  let stream = null
  if (!names.length) stream = new Protocol(initiator, opts)
  for (const name of names) {
    const feed = lookUp(feeds, name, 'feed')
    stream = feed.replicate(initiator, stream ? { ...opts, stream } : opts)
  }
  stream.on('discovery-key', key => emit('discovery-key', { discoveryKey: hex(key) }))
  for (const name of extensions) {
    const extension = stream.registerExtension(name, {
      encoding: 'utf-8',
      onmessage: message => emit('stream-extension', { name, message })
    })
    stream.once('handshake', () => extension.send('hello from js'))
  }
  return stream
}

serve({
  async open ({ feed: name, folder, memory: box, key, options }) {
    const storage = folder || memory(box || name)
    const feed = hypercore(storage, key ? Buffer.from(key, 'hex') : null, feedOptions(options))
    await call(feed, 'ready')
    feeds.set(name, feed)
    return describeFeed(feed)
  },

  async close ({ feed: name }) {
    await call(lookUp(feeds, name, 'feed'), 'close')
    feeds.delete(name)
  },

  ...feedCommands(({ feed: name }) => lookUp(feeds, name, 'feed')),
  ...new Connections(makeStream).commands()
})
