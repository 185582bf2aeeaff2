'use strict'
// Commands on one hypercore, shared by all peer programs. `find(args)` gives the feed meant.

const { call, emit } = require('./commands')

function hex (buffer) {
  return buffer ? buffer.toString('hex') : null
}

function describeFeed (feed) {
  return {
    key: hex(feed.key),
    discoveryKey: hex(feed.discoveryKey),
    secretKey: hex(feed.secretKey),
    length: feed.length,
    byteLength: feed.byteLength,
    remoteLength: feed.remoteLength,
    writable: feed.writable,
    live: feed.live,
    downloaded: feed.bitfield ? feed.downloaded(0, feed.length) : 0,
    peers: feed.peers.length,
    stats: feed.stats && feed.stats.totals
  }
}

// Options that JSON can carry, with keys as hex.
function feedOptions (options = {}) {
  const result = { ...options }
  for (const name of ['secretKey', 'key']) {
    if (result[name]) result[name] = Buffer.from(result[name], 'hex')
  }
  return result
}

function encodeValue (value) {
  return Buffer.isBuffer(value) ? { base64: value.toString('base64') } : { value }
}

function decodeValue (value) {
  if (value && typeof value === 'object' && Object.hasOwn(value, 'base64')) {
    return Buffer.from(value.base64, 'base64')
  }
  return value
}

// Resolves once the test holds; looked at after each event that can change it.
function until (feed, test) {
  return new Promise(resolve => {
    const events = ['append', 'download', 'sync', 'remote-update', 'peer-add', 'peer-remove', 'peer-open']
    const look = () => {
      if (!test()) return
      for (const event of events) feed.off(event, later)
      resolve()
    }
    // The event comes before the state changes, and before the files are written.
    const later = () => setImmediate(look)
    for (const event of events) feed.on(event, later)
    look()
  })
}

function feedCommands (find) {
  const seen = new WeakMap()

  function extensionsOf (feed) {
    if (!seen.has(feed)) seen.set(feed, new Map())
    return seen.get(feed)
  }

  return {
    info: async args => describeFeed(await find(args)),

    append: async args => call(await find(args), 'append', args.values.map(decodeValue)),

    // Blocks that need not travel through the pipe: "<prefix><index>", padded to `size` with dots.
    async fill (args) {
      const feed = await find(args)
      const values = []
      for (let i = 0; i < args.count; i++) {
        values.push(Buffer.from((args.prefix + (feed.length + i)).padEnd(args.size || 0, '.')))
      }
      if (args.batch !== false) return call(feed, 'append', values)
      for (const value of values) await call(feed, 'append', value)
    },

    get: async args => encodeValue(await call(await find(args), 'get', args.index, args.options || {})),

    async read (args) {
      const feed = await find(args)
      const values = []
      for (let i = args.start || 0; i < (args.end === undefined ? feed.length : args.end); i++) {
        values.push(encodeValue(await call(feed, 'get', i, args.options || {})))
      }
      return values
    },

    has: async args => {
      const feed = await find(args)
      return Array.from({ length: args.end - args.start }, (_, i) => feed.has(args.start + i))
    },

    update: async args => call(await find(args), 'update', args.options || {}),

    async seek (args) {
      const [index, offset] = await call(await find(args), 'seek', args.bytes, args.options || {})
      return { index, offset }
    },

    head: async args => encodeValue(await call(await find(args), 'head', args.options || {})),

    async download (args) {
      const feed = await find(args)
      await call(feed, 'download', args.range || { start: 0, end: feed.length })
    },

    async clear (args) {
      await call(await find(args), 'clear', args.start, args.end)
    },

    audit: async args => call(await find(args), 'audit'),

    async verify (args) {
      const feed = await find(args)
      const { index, signature } = await call(feed, 'signature', args.index)
      return { index, signature: hex(signature), valid: await call(feed, 'verify', index, signature) }
    },

    async rootHashes (args) {
      const roots = await call(await find(args), 'rootHashes', args.index)
      return roots.map(({ index, size, hash }) => ({ index, size, hash: hex(hash) }))
    },

    // Waits for blocks that are here, a length, a remote length, or a number of peers.
    async wait (args) {
      const feed = await find(args)
      await until(feed, () => {
        const { downloaded = 0, length = 0, remoteLength = 0, peers } = args
        return feed.length >= length && feed.downloaded(0, feed.length) >= downloaded &&
          feed.remoteLength >= remoteLength && (peers === undefined || feed.peers.length === peers)
      })
      return describeFeed(feed)
    },

    async setDownloading (args) { (await find(args)).setDownloading(args.value) },
    async setUploading (args) { (await find(args)).setUploading(args.value) },

    async extension (args) {
      const feed = await find(args)
      const extension = feed.registerExtension(args.name, {
        encoding: args.encoding || 'binary',
        onmessage: message => emit('extension', { feed: args.feed, name: args.name, message: encodeValue(message) })
      })
      extensionsOf(feed).set(args.name, extension)
    },

    async broadcast (args) {
      const extension = extensionsOf(await find(args)).get(args.name)
      return extension.broadcast(decodeValue(args.message))
    },

    // Reports each acknowledgement from now on.
    async acks (args) {
      const feed = await find(args)
      feed.on('peer-ack', (peer, { start, length }) => emit('ack', { feed: args.feed, start, length }))
    }
  }
}

module.exports = { feedCommands, describeFeed, feedOptions, encodeValue, decodeValue, hex }
