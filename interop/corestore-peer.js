#!/usr/bin/env node
'use strict'
// One corestore, in a folder or in memory, replicated over TCP on loopback. A core is named by the
// text under which `core` put it aside: {feed: <alias>}.

const Corestore = require('corestore')
const ram = require('random-access-memory')
const { serve, call, lookUp } = require('./lib/commands')
const { Connections } = require('./lib/connections')
const { feedCommands, describeFeed } = require('./lib/feeds')

const cores = new Map()
const namespaces = new Map()
let store = null

serve({
  async open ({ folder, masterKey, options = {} }) {
    const opts = { ...options }
    if (masterKey) opts.masterKey = Buffer.from(masterKey, 'hex')
    store = new Corestore(folder || ram, opts)
    namespaces.set('', store)
    await store.ready()
  },

  async close () {
    await call(store, 'close')
    cores.clear()
    namespaces.clear()
  },

  // Makes the namespace `name` under `parent` ('' is the root) and calls it `alias`.
  namespace ({ parent = '', name, alias }) {
    namespaces.set(alias, lookUp(namespaces, parent, 'namespace').namespace(name))
  },

  // how: {default: true}, {name}, {key}, {discoveryKey}, {secretKey} or {}.
  async core ({ feed: alias, namespace = '', how = {}, options = {} }) {
    const space = lookUp(namespaces, namespace, 'namespace')
    const opts = { ...options }
    let core = null
    if (how.default) {
      core = space.default(opts)
    } else {
      if (how.name !== undefined) opts.name = how.name
      if (how.key) opts.key = Buffer.from(how.key, 'hex')
      if (how.discoveryKey) opts.discoveryKey = Buffer.from(how.discoveryKey, 'hex')
      if (how.secretKey) {
        const secretKey = Buffer.from(how.secretKey, 'hex')
        opts.keyPair = { publicKey: secretKey.subarray(32), secretKey }
      }
      core = space.get(opts)
    }
    await call(core, 'ready')
    cores.set(alias, core)
    return describeFeed(core)
  },

  list: ({ namespace = '' }) => Array.from(lookUp(namespaces, namespace, 'namespace').list().values(), describeFeed),

  ...feedCommands(({ feed: alias }) => lookUp(cores, alias, 'core')),

  ...new Connections((initiator, { namespace = '', options = {} }) => {
    return lookUp(namespaces, namespace, 'namespace').replicate(initiator, { live: true, ...options })
  }).commands()
})
