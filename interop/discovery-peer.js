#!/usr/bin/env node
'use strict'
// @hyperswarm/discovery, several by name: announces and looks up topics on the LAN. Its DHT has no
// bootstrap nodes, so that nobody outside is ever asked. Topics travel as hex.

const discovery = require('@hyperswarm/discovery')
const { serve, emit, lookUp } = require('./lib/commands')
const { hex } = require('./lib/feeds')

const open = new Map()
const topics = new Map()

function discoveryOf (name) {
  if (!open.has(name)) {
    const made = discovery({ bootstrap: [] })
    for (const kind of ['query', 'response']) {
      made.mdns.on(kind, (packet, from) => emit(kind, { name, from: from.address }))
    }
    made.mdns.on('warning', error => emit('warning', { name, message: error.message }))
    open.set(name, made)
  }
  return open.get(name)
}

function follow (name, topic, followed) {
  topics.set(name + topic, followed)
  followed.on('peer', ({ host, port, local, topic }) => {
    emit('peer', { name, host, port, local, topic: hex(topic), at: Date.now() })
  })
}

serve({
  // Resolves when the socket is ready, so that nothing that is sent from then on is missed.
  async open ({ name = 'd' }) {
    const { mdns } = discoveryOf(name)
    await new Promise(resolve => mdns.once('networkInterface', resolve))
  },

  announce ({ name = 'd', topic, port, lookup = true }) {
    const options = { port, localPort: port, lookup: lookup ? {} : null }
    follow(name, topic, discoveryOf(name).announce(Buffer.from(topic, 'hex'), options))
  },

  lookup ({ name = 'd', topic }) {
    follow(name, topic, discoveryOf(name).lookup(Buffer.from(topic, 'hex')))
  },

  leave ({ name = 'd', topic }) {
    lookUp(topics, name + topic, 'topic').destroy()
    topics.delete(name + topic)
  },

  close ({ name = 'd' }) {
    lookUp(open, name, 'discovery').destroy({ force: true })
    open.delete(name)
  }
})
