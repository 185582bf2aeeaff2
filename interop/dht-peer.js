#!/usr/bin/env node
'use strict'
// Nodes of @hyperswarm/dht by name, over UDP. A test says which bootstrap nodes there are: none by
// default, so that nobody outside is ever asked. Keys, values and datagrams travel as hex.

const crypto = require('crypto')
const dht = require('@hyperswarm/dht')
const { serve, call, emit, lookUp } = require('./lib/commands')
const { hex } = require('./lib/feeds')

const nodes = new Map()

function nodeOf ({ node: name = 'n' }) {
  return lookUp(nodes, name, 'node')
}

function bytes (text) {
  return text === undefined || text === null ? text : Buffer.from(text, 'hex')
}

function ready (node) {
  return new Promise(resolve => node.ready(resolve))
}

async function start ({ node: name = 'n', bootstrap = [], ephemeral = false, host = '127.0.0.1', port = 0, nodeId }) {
  const node = dht({ bootstrap, ephemeral, id: bytes(nodeId) })
  nodes.set(name, node)
  node.warnings = 0
  node.on('warning', () => node.warnings++)
  node.on('error', error => emit('error', { node: name, message: error.message }))
  node.socket.on('message', (_, { address, port }) => { node.heard = (node.heard || 0) + 1 })
  for (const event of ['lookup', 'announce', 'unannounce']) {
    node.on(event, (target, from) => emit(event, { node: name, target: hex(target), from }))
  }
  node.on('holepunch', (from, to) => emit('holepunch', { node: name, from, to }))
  await new Promise(resolve => node.listen(port, host, resolve))
  await ready(node)
  return describe(node)
}

function describe (node) {
  const { address, port } = node.address()
  return {
    id: hex(node.id),
    host: address,
    port,
    ephemeral: node.ephemeral,
    nodes: node.getNodes().map(({ id, host, port }) => ({ id: hex(id), host, port })),
    remoteAddress: node.remoteAddress(),
    holepunchable: node.holepunchable(),
    warnings: node.warnings,
    heard: node.heard || 0
  }
}

function plain ({ node, to, peers, localPeers }) {
  return { node: { ...node, id: hex(node.id) }, to, peers, localPeers }
}

// The results of a query that may fail, and what its nodes said was wrong.
function collect (query) {
  return new Promise((resolve, reject) => {
    const results = []
    const warnings = []
    query.on('data', data => results.push(data))
    query.on('warning', error => warnings.push(error.message))
    query.on('error', reject)
    query.on('end', () => resolve({ results, warnings }))
  })
}

function peersCommand (method) {
  return async args => {
    const { topic, port, localAddress } = args
    const { results } = await collect(nodeOf(args)[method](bytes(topic), { port, localAddress }))
    return results.map(plain)
  }
}

function keyPair (secretKey) {
  const key = bytes(secretKey)
  return { publicKey: key.subarray(32), secretKey: key }
}

serve({
  node: start,

  // `count` nodes called <prefix>0 and so on, one after the other; all know `bootstrap`.
  async nodes ({ count, prefix = 'n', ...args }) {
    const started = []
    for (let i = 0; i < count; i++) started.push(await start({ ...args, node: prefix + i }))
    return started
  },

  async close (args) {
    const node = nodeOf(args)
    const closed = new Promise(resolve => node.once('close', resolve))
    node.destroy()
    await closed
    nodes.delete(args.node || 'n')
  },

  table: args => describe(nodeOf(args)),

  bootstrap: async args => call(nodeOf(args), 'bootstrap'),

  async persistent (args) {
    await call(nodeOf(args), 'persistent')
    return describe(nodeOf(args))
  },

  lookup: peersCommand('lookup'),
  announce: peersCommand('announce'),
  unannounce: peersCommand('unannounce'),

  // Milliseconds of each of several lookups, one after the other.
  async timedLookups (args) {
    const times = []
    for (let i = 0; i < args.count; i++) {
      const start = process.hrtime.bigint()
      await collect(nodeOf(args).lookup(bytes(args.topic)))
      times.push(Number(process.hrtime.bigint() - start) / 1e6)
    }
    return times
  },

  putImmutable: async args => hex(await call(nodeOf(args).immutable, 'put', bytes(args.value))),

  async getImmutable (args) {
    const found = await call(nodeOf(args).immutable, 'get', bytes(args.key))
    return hex(Array.isArray(found) ? found[0] : found)
  },

  async putMutable (args) {
    const { seq = 0 } = args
    const options = { keypair: keyPair(args.secretKey), seq, salt: bytes(args.salt) }
    const { key, signature } = await call(nodeOf(args).mutable, 'put', bytes(args.value), options)
    return { key: hex(key), signature: hex(signature) }
  },

  async getMutable (args) {
    const options = { seq: args.seq || 0, salt: bytes(args.salt) }
    const { value, signature, seq } = await call(nodeOf(args).mutable, 'get', bytes(args.key), options)
    return { value: hex(value), signature: hex(signature), seq }
  },

  // A command as it is, with a value of any bytes; `update` also sends it as an update.
  async command (args) {
    const { name, target, value, update = false } = args
    const options = { query: !update, update }
    const io = nodeOf(args).runCommand(name, bytes(target), null, options)
    io.value = bytes(value)
    io._outputEncoding = null
    const { results, warnings } = await collect(io)
    return { values: results.map(({ value }) => hex(value)), warnings }
  },

  ping: async args => call(nodeOf(args), 'ping', { host: args.host, port: args.port, id: bytes(args.nodeId) }),

  async holepunch (args) {
    await call(nodeOf(args), 'holepunch', { ...args.peer, referrer: args.referrer })
  },

  // A datagram as it is, from the node's own socket.
  async send (args) {
    await call(nodeOf(args).socket, 'send', bytes(args.datagram), args.port, args.host)
  },

  random: ({ size }) => hex(crypto.randomBytes(size))
})
