#!/usr/bin/env node
'use strict'
// The JavaScript half of the benchmarks: node side.js MEASURE '{"folder": ..., "count": ..., ...}'
// prints one JSON object: seconds by name, and the peak resident memory of this process.

const childProcess = require('child_process')
const fs = require('fs')
const net = require('net')
const path = require('path')
const readline = require('readline')

const modules = path.join(__dirname, '..', '..', 'interop', 'node_modules')
const hypercore = require(path.join(modules, 'hypercore'))
const multifeed = require(path.join(modules, 'hypermultifeed'))
const ROOT_KEY = '11'.repeat(32)

function call (object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (error, result) => error ? reject(error) : resolve(result))
  })
}

function peakBytes () {
  try {
    const [, kib] = /VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'latin1'))
    return kib * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}

async function timed (run) {
  const start = process.hrtime.bigint()
  await run()
  return Number(process.hrtime.bigint() - start) / 1e9
}

// Numbers that look random, the same on both sides.
function * indexes (count, length) {
  let state = 1
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield state % length
  }
}

function blocks (count, bytes) {
  return Array.from({ length: count }, (_, i) => {
    const block = Buffer.alloc(bytes, 46)
    block.writeUInt32BE(i)
    return block
  })
}

async function open (folder, key) {
  const feed = hypercore(folder, key)
  await call(feed, 'ready')
  return feed
}

// Both ends over a real socket in this process, or straight into each other.
async function join (left, right, tcp) {
  if (!tcp) {
    left.pipe(right).pipe(left)
    return () => {}
  }
  const server = net.createServer(socket => socket.pipe(left).pipe(socket))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const socket = net.connect(server.address().port, '127.0.0.1')
  socket.pipe(right).pipe(socket)
  return () => server.close()
}

const measures = {
  async prepare ({ folder, count, bytes }) {
    const feed = await open(folder)
    const values = blocks(count, bytes)
    for (let i = 0; i < count; i += 1000) await call(feed, 'append', values.slice(i, i + 1000))
    await call(feed, 'close')
    return {}
  },

  async batch ({ folder, count, bytes }) {
    const feed = await open(folder)
    const values = blocks(count, bytes)
    const seconds = await timed(() => call(feed, 'append', values))
    await call(feed, 'close')
    return { seconds }
  },

  async single ({ folder, count, bytes }) {
    const feed = await open(folder)
    const values = blocks(count, bytes)
    const seconds = await timed(async () => {
      for (const value of values) await call(feed, 'append', value)
    })
    await call(feed, 'close')
    return { seconds }
  },

  async get ({ source, count }) {
    const feed = await open(source)
    const seconds = await timed(() => new Promise((resolve, reject) => {
      const order = indexes(count, feed.length)
      const next = error => {
        if (error) return reject(error)
        const { value, done } = order.next()
        if (done) return resolve()
        feed.get(value, next)
      }
      next(null)
    }))
    await call(feed, 'close')
    return { seconds }
  },

  async replicate ({ source, folder, tcp }) {
    const from = await open(source)
    const to = await open(folder, from.key)
    let finish = null
    const seconds = await timed(async () => {
      let missing = from.length
      const all = new Promise(resolve => to.on('download', () => { if (!--missing) to.once('sync', resolve) }))
      const left = from.replicate(true, { live: true })
      const right = to.replicate(false, { live: true })
      finish = await join(left, right, tcp)
      await all
    })
    if (to.downloaded(0, from.length) !== from.length) throw new Error('not all arrived')
    finish()
    await call(from, 'close')
    await call(to, 'close')
    return { seconds }
  },

  // The life of a feed in one process: a batch, single appends, a copy, reads at random.
  async workload ({ folder, count, bytes }) {
    const [source, copy] = [path.join(folder, 'source'), path.join(folder, 'copy')]
    const parts = [
      await measures.batch({ folder: source, count, bytes }),
      await measures.single({ folder: source, count: Math.floor(count / 16), bytes }),
      await measures.replicate({ source, folder: copy }),
      await measures.get({ source: copy, count })
    ]
    return { seconds: parts.reduce((sum, part) => sum + part.seconds, 0) }
  },

  async prepareMany ({ folder, feeds }) {
    const multi = multifeed(folder, { rootKey: ROOT_KEY })
    await call(multi, 'ready')
    for (let i = 0; i < feeds; i++) {
      const writer = await call(multi, 'writer', 'w' + i)
      await call(writer, 'append', 'block of ' + i)
    }
    await call(multi._handlers.feed, 'flush')
    return {}
  },

  // Opens a multifeed of many feeds, then another process's worth of empty one, and joins them.
  async many ({ source, folder, feeds, tcp }) {
    const from = multifeed(source, { rootKey: ROOT_KEY })
    const open = await timed(async () => {
      await call(from, 'ready')
      await Promise.all(from.feeds().map(feed => call(feed, 'ready')))
    })
    if (from.feeds().length !== feeds) throw new Error('feeds are missing')
    const opened = peakBytes()
    const to = multifeed(folder, { rootKey: ROOT_KEY })
    await call(to, 'ready')
    let finish = null
    const replicate = await timed(async () => {
      let missing = feeds
      const all = new Promise(resolve => {
        to.on('feed', feed => feed.get(0, error => {
          if (error) throw error
          if (!--missing) resolve()
        }))
      })
      const left = from.replicate(true, { live: true })
      finish = await join(left, to.replicate(false, { live: true }), tcp)
      await all
    })
    finish()
    return { seconds: open, replicate_seconds: replicate, opened_bytes: opened }
  },

  // A peer that is there already, with a DHT of one node, until the input ends.
  async share ({ source, mdns }) {
    const { dht, networker } = swarming(mdns)
    const node = dht({ bootstrap: [], ephemeral: false })
    await new Promise(resolve => node.listen(0, resolve))
    const bootstrap = '127.0.0.1:' + node.address().port
    const multi = multifeed(source, { rootKey: ROOT_KEY })
    await call(multi, 'ready')
    const swarm = networker(multi, bootstrap)
    const flushed = new Promise(resolve => swarm.networker.once('flushed', resolve))
    swarm.swarm(multi)
    await flushed
    process.stdout.write(JSON.stringify({ bootstrap }) + '\n')
    await new Promise(resolve => process.stdin.on('end', resolve).resume())
    return {}
  },

  // An empty peer that knows the key: from joining to the first block, and to all of them.
  async clone ({ source, folder, feeds, mdns }) {
    const { networker } = swarming(mdns)
    const sharing = childProcess.spawn(process.execPath, [__filename, 'share', JSON.stringify({ source, mdns })], {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    const { bootstrap } = JSON.parse(await new Promise(resolve => {
      readline.createInterface({ input: sharing.stdout }).once('line', resolve)
    }))
    let first = null
    const all = await timed(async () => {
      const start = process.hrtime.bigint()
      const multi = multifeed(folder, { rootKey: ROOT_KEY })
      await call(multi, 'ready')
      let missing = feeds
      await new Promise((resolve, reject) => {
        multi.on('feed', feed => feed.get(0, error => {
          if (error) return reject(error)
          if (first === null) first = Number(process.hrtime.bigint() - start) / 1e9
          if (!--missing) resolve()
        }))
        networker(multi, bootstrap).swarm(multi)
      })
    })
    sharing.stdin.end()
    return { seconds: first, all_seconds: all }
  }
}

// What a peer needs to be found. mDNS has no switch in these packages; where it shall be off, it
// is replaced by one that never hears anything.
function swarming (mdns) {
  if (!mdns) {
    const { EventEmitter } = require('events')
    const silent = () => Object.assign(new EventEmitter(), { query () {}, response () {}, destroy () {} })
    const file = require.resolve(path.join(modules, 'multicast-dns'))
    require.cache[file] = { id: file, filename: file, loaded: true, exports: silent }
  }
  const dht = require(path.join(modules, '@hyperswarm/dht'))
  const Networker = require(path.join(modules, '@corestore/networker'))
  const MultifeedNetworker = require(path.join(modules, 'hypermultifeed', 'networker'))
  return {
    dht,
    networker: (multi, bootstrap) =>
      new MultifeedNetworker(new Networker(multi._corestore, { bootstrap: [bootstrap] }))
  }
}

async function main () {
  const [name, args] = process.argv.slice(2)
  const result = await measures[name](JSON.parse(args))
  process.stdout.write(JSON.stringify({ ...result, peak_bytes: peakBytes() }) + '\n', () => process.exit(0))
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
