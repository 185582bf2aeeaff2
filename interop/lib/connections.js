'use strict'
// TCP on loopback. A replication stream is piped to each socket here, because the networker of the
// JavaScript family drops connections from 127.0.0.1.

const net = require('net')
const { lookUp, describe } = require('./commands')

class Connections {
  // makeStream(initiator, args) gives the protocol stream for a new socket.
  constructor (makeStream) {
    this.makeStream = makeStream
    this.servers = []
    this.open = new Map()
    this.next = 1
    this.arrivals = []
    this.waiting = []
  }

  attach (socket, initiator, args) {
    const id = this.next++
    const entry = { socket, stream: null, error: null, ended: false }
    const { makeStream } = this
    socket.setNoDelay(true) // as hyperswarm does
    entry.done = new Promise(resolve => {
      const stream = entry.stream = makeStream(initiator, args)
      // Both sides may end on their own; an error on either kills both.
      socket.on('error', error => stream.destroy(error))
      socket.on('close', () => stream.destroy())
      stream.on('error', error => { entry.error = entry.error || error })
      stream.on('end', () => { entry.ended = true })
      stream.on('close', () => {
        if (!entry.ended || entry.error) socket.destroy()
        resolve()
      })
      stream.on('remote-feeds', () => { entry.remoteFeeds = (entry.remoteFeeds || 0) + 1 })
      socket.pipe(stream).pipe(socket)
    })
    this.open.set(id, entry)
    return id
  }

  commands () {
    return {
      listen: args => this.listen(args),
      connect: args => this.connect(args),
      accepted: () => this.accepted(),
      ended: args => this.ended(args),
      disconnect: args => this.disconnect(args),
      connection: args => this.connection(args)
    }
  }

  listen (args) {
    const server = net.createServer({ allowHalfOpen: true }, socket => {
      const id = this.attach(socket, false, args)
      const waiter = this.waiting.shift()
      if (waiter) waiter(id)
      else this.arrivals.push(id)
    })
    this.servers.push(server)
    return new Promise((resolve, reject) => {
      server.on('error', reject)
      server.listen(args.port || 0, '127.0.0.1', () => resolve(server.address().port))
    })
  }

  connect (args) {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port: args.port, host: '127.0.0.1', allowHalfOpen: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(this.attach(socket, true, args))
      })
    })
  }

  // The id of the next connection that came in.
  accepted () {
    if (this.arrivals.length) return this.arrivals.shift()
    return new Promise(resolve => this.waiting.push(resolve))
  }

  // Waits until the stream is closed; says whether it ended or failed.
  async ended ({ connection }) {
    const entry = lookUp(this.open, connection, 'connection')
    await entry.done
    return { error: entry.error ? describe(entry.error) : null, ended: entry.ended }
  }

  async disconnect ({ connection, gently = false }) {
    const entry = lookUp(this.open, connection, 'connection')
    if (gently) entry.stream.finalize()
    else entry.stream.destroy()
    await entry.done
  }

  connection ({ connection }) {
    const { stream, remoteFeeds = 0 } = lookUp(this.open, connection, 'connection')
    const { publicKey, remotePublicKey } = stream
    return {
      publicKey: publicKey && publicKey.toString('hex'),
      remotePublicKey: remotePublicKey && remotePublicKey.toString('hex'),
      channels: stream.channelCount,
      bytesSent: stream.bytesSent,
      bytesReceived: stream.bytesReceived,
      remoteFeeds
    }
  }
}

module.exports = { Connections }
