#!/usr/bin/env node
'use strict'
// Multifeeds by name, in a folder, in memory or on a shared corestore, replicated over TCP on loopback.
// Every command about one feed names it by its key: {multifeed, feed: <hex>}.

const crypto = require('crypto')
const multifeed = require('hypermultifeed')
const Protocol = require('hypercore-protocol')
const Corestore = require('corestore')
const ram = require('random-access-memory')
const { serve, call, emit, lookUp } = require('./lib/commands')
const { Connections } = require('./lib/connections')
const { feedCommands, describeFeed, hex } = require('./lib/feeds')

const multifeeds = new Map()
const stores = new Map()

function multifeedOf ({ multifeed: name = 'm' }) {
  return lookUp(multifeeds, name, 'multifeed')
}

async function feedOf (args) {
  const feed = multifeedOf(args).feed(args.feed)
  if (!feed) throw new Error('no such feed: ' + args.feed)
  await call(feed, 'ready')
  return feed
}

function options ({ rootKey, encryptionKey, key, valueEncoding, options = {} }) {
  const given = { rootKey, encryptionKey, key, valueEncoding, ...options }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

// hypermultifeed does not wait until its list of feeds is on disk; the returned function does.
function keepTrack (handlers) {
  const pending = new Set()
  const store = handlers.storeFeed.bind(handlers)
  handlers.storeFeed = (info, cb) => {
    const written = new Promise(resolve => store(info, error => { cb(error); resolve() }))
    pending.add(written)
  }
  return () => Promise.all(pending)
}

// One stream carries all the multifeeds named (default: m).
function makeStream (initiator, { multifeeds: names = ['m'], options = {} }) {
  const stream = new Protocol(initiator, { live: true, ...options })
  for (const name of names) {
    const done = lookUp(multifeeds, name, 'multifeed').replicate(initiator, { ...options, stream })
    if (done !== stream) throw new Error('not ready')
  }
  stream.on('remote-feeds', () => emit('remote-feeds', {}))
  return stream
}

serve({
  async open (args) {
    const { multifeed: name = 'm', folder, store } = args
    let storage = folder || ram
    if (store) {
      if (!stores.has(store)) stores.set(store, new Corestore(ram))
      storage = stores.get(store)
    }
    const multi = multifeed(storage, options(args))
    multi.on('feed', (feed, feedName) => {
      feed.ready(() => emit('feed', { multifeed: name, name: feedName, key: hex(feed.key) }))
    })
    await call(multi, 'ready')
    multi.written = keepTrack(multi._handlers)
    multifeeds.set(name, multi)
    return { key: hex(multi.key), discoveryKey: hex(multi.discoveryKey) }
  },

  async close (args) {
    await multifeedOf(args).written()
    await call(multifeedOf(args), 'close')
    multifeeds.delete(args.multifeed || 'm')
  },

  async writer (args) {
    const opts = {}
    if (args.secretKey) {
      const secretKey = Buffer.from(args.secretKey, 'hex')
      opts.keyPair = { publicKey: secretKey.subarray(32), secretKey }
    }
    const feed = await call(multifeedOf(args), 'writer', args.name, opts)
    await multifeedOf(args).written()
    return describeFeed(feed)
  },

  async feeds (args) {
    const list = multifeedOf(args).feeds()
    for (const feed of list) await call(feed, 'ready')
    return list.map(describeFeed)
  },

  // All feeds with all their values, waiting until each has at least `length` blocks.
  async values (args) {
    const result = {}
    for (const feed of multifeedOf(args).feeds()) {
      await call(feed, 'ready')
      result[hex(feed.key)] = []
      for (let i = 0; i < feed.length; i++) result[hex(feed.key)].push(await call(feed, 'get', i))
    }
    return result
  },

  // Waits for a number of feeds, and for a number of blocks in them all together.
  async settle (args) {
    const multi = multifeedOf(args)
    const here = () => multi.feeds().reduce((sum, feed) => sum + (feed.bitfield ? feed.downloaded(0, feed.length) : 0), 0)
    while (multi.feeds().length < args.feeds || here() < (args.blocks || 0)) {
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    return { feeds: multi.feeds().length, blocks: here() }
  },

  random: ({ bytes }) => crypto.randomBytes(bytes).toString('hex'),

  ...feedCommands(feedOf),
  ...new Connections(makeStream).commands()
})
