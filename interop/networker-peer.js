#!/usr/bin/env node
'use strict'
// A @corestore/networker with hypermultifeed's networker on it, and multifeeds by name in its store.
// Peers are found through the bootstrap nodes that a test names (none by default, so that nobody
// outside is ever asked), or dialled. Every command about one feed names it by its key.

// hyperswarm cannot be told to keep off the LAN.
const { EventEmitter } = require('events')
require('multicast-dns')
require.cache[require.resolve('multicast-dns')].exports = () => {
  const silent = new EventEmitter()
  silent.query = silent.response = () => {}
  silent.destroy = done => { if (done) process.nextTick(done) }
  return silent
}

const multifeed = require('hypermultifeed')
const MultifeedNetworker = require('hypermultifeed/networker')
const Networker = require('@corestore/networker')
const Corestore = require('corestore')
const hyperswarm = require('hyperswarm')
const ram = require('random-access-memory')
const { serve, call, emit, lookUp } = require('./lib/commands')
const { feedCommands, describeFeed, encodeValue, decodeValue, hex } = require('./lib/feeds')

const multifeeds = new Map()
const cores = new Map()
const extensions = new Map()
let store, swarm, networker, multis

function multifeedOf ({ multifeed: name = 'm' }) {
  return lookUp(multifeeds, name, 'multifeed')
}

async function feedOf (args) {
  const feed = cores.get(args.feed) || multifeedOf(args).feed(args.feed)
  if (!feed) throw new Error('no such feed: ' + args.feed)
  await call(feed, 'ready')
  return feed
}

function bytes (text) {
  return text && Buffer.from(text, 'hex')
}

// The networker ignores connections from 127.0.0.1; a swarm that is handed to it may say another address.
function makeSwarm (options) {
  const made = hyperswarm({ bootstrap: [], ephemeral: true, queue: { multiplex: true }, ...options })
  made.on('connection', socket => {
    Object.defineProperty(socket, 'remoteAddress', { value: '127.0.0.2' })
    socket.on('error', () => {})
  })
  return made
}

function follow (made) {
  const describe = stream => ({ remotePublicKey: hex(stream.remotePublicKey), initiator: stream.initiator })
  made.on('handshake', stream => emit('handshake', describe(stream)))
  made.on('stream-closed', (stream, info, finished) => emit('stream-closed', { ...describe(stream), finished }))
  made.on('replication-error', error => emit('replication-error', { message: error.message }))
  made.on('error', error => emit('error', { message: error.message }))
}

serve({
  // Makes store, swarm and networker; `options` go to the swarm. Resolves when it listens.
  async start ({ folder, secretSeed, port = 0, options = {} }) {
    store = new Corestore(folder || ram)
    await call(store, 'ready')
    swarm = makeSwarm(options)
    const keyPair = secretSeed ? require('hypercore-protocol').keyPair(bytes(secretSeed)) : undefined
    networker = new Networker(store, { swarm, keyPair })
    follow(networker)
    multis = new MultifeedNetworker(networker)
    await networker.listen()
    await new Promise((resolve, reject) => {
      swarm.once('listening', resolve)
      swarm.listen(port, error => { if (error) reject(error) })
    })
    return { port: swarm.address().port, publicKey: hex(networker.keyPair.publicKey) }
  },

  // A multifeed on the store; it is not shared yet. `timeout`: milliseconds that a peer may take to open
  // the root key's channel; false: for ever.
  async open ({ multifeed: name = 'm', rootKey, valueEncoding = 'json', timeout }) {
    const options = { rootKey: bytes(rootKey), valueEncoding }
    if (timeout !== undefined) options.timeout = timeout
    const multi = multifeed(store, options)
    multi.on('feed', (feed, feedName) => {
      feed.ready(() => emit('feed', { multifeed: name, name: feedName, key: hex(feed.key), at: Date.now() }))
    })
    await call(multi, 'ready')
    multifeeds.set(name, multi)
    return { key: hex(multi.key), discoveryKey: hex(multi.discoveryKey) }
  },

  async writer (args) {
    return describeFeed(await call(multifeedOf(args), 'writer', args.name, {}))
  },

  async feeds (args) {
    const list = multifeedOf(args).feeds()
    for (const feed of list) await call(feed, 'ready')
    return list.map(describeFeed)
  },

  // Waits for a number of feeds, and for a number of blocks in them all together.
  async settle (args) {
    const multi = multifeedOf(args)
    const here = () => multi.feeds().reduce((sum, feed) => sum + (feed.bitfield ? feed.downloaded(0, feed.length) : 0), 0)
    while (multi.feeds().length < args.feeds || here() < (args.blocks || 0)) {
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    return { feeds: multi.feeds().length, blocks: here() }
  },

  async swarm (args) {
    multis.swarm(multifeedOf(args))
    await new Promise(resolve => setImmediate(resolve))
  },

  leave: args => multis.leave(multifeedOf(args).key),

  // A core of the store, ours or another's; the networker gives it to every peer.
  async core ({ key, name }) {
    const core = store.get(key ? { key: bytes(key) } : name ? { name } : undefined)
    await call(core, 'ready')
    cores.set(hex(core.key), core)
    return describeFeed(core)
  },

  async configure ({ topic, options = {} }) {
    await networker.configure(bytes(topic), options)
  },

  async flushed ({ topic }) {
    while (!networker.flushed(topic)) await new Promise(resolve => networker.once('flushed', resolve))
  },

  status: ({ topic }) => ({
    joined: networker.joined(topic), flushed: networker.flushed(topic), status: networker.status(topic) || null
  }),

  // Dials as if a peer had been found, with hyperswarm's own retries.
  dial ({ port, host = '127.0.0.1', topic }) {
    const queue = swarm[Object.getOwnPropertySymbols(swarm).find(name => String(name).includes('queue'))]
    queue.add({ host, port, local: true, referrer: null, topic: bytes(topic) || null })
  },

  peers: () => [...networker.peers].map(({ remotePublicKey, stream }) => ({
    remotePublicKey: hex(remotePublicKey),
    initiator: stream.initiator,
    channels: [...stream.channels].map(({ discoveryKey, opened, remoteOpened }) => ({
      discoveryKey: hex(discoveryKey), opened, remoteOpened
    }))
  })),

  // Waits until neither side has any of these channels open.
  async closed ({ discoveryKeys }) {
    const open = () => [...networker.peers].some(({ stream }) =>
      [...stream.channels].some(({ discoveryKey }) => discoveryKeys.includes(hex(discoveryKey))))
    while (open()) await new Promise(resolve => setTimeout(resolve, 2))
  },

  networkExtension ({ name, encoding = 'utf8' }) {
    extensions.set(name, networker.registerExtension(name, {
      encoding,
      onmessage: (message, { remotePublicKey }) => {
        emit('network-extension', { name, message: encodeValue(message), remotePublicKey: hex(remotePublicKey) })
      }
    }))
  },

  networkBroadcast ({ name, message }) {
    lookUp(extensions, name, 'extension').broadcast(decodeValue(message))
  },

  timePasses: ({ ms }) => new Promise(resolve => setTimeout(resolve, ms)),

  disconnect () {
    for (const stream of networker.streams) stream.destroy()
  },

  async close () {
    await networker.close()
  },

  ...feedCommands(feedOf)
})
