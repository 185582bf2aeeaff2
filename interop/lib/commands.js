'use strict'
// Runs a peer program: one JSON object a line in, one a line out. A request is
// {id, do, ...arguments}; its reply {id, result} or {id, error: {message, code}}.
// Lines without an id are events: {event, ...}. The end of the input ends the process.

const readline = require('readline')

function write (message) {
  process.stdout.write(JSON.stringify(message) + '\n')
}

function describe (error) {
  const { message, code, usVersion, themVersion, usClient, themClient } = error
  return { message, code, usVersion, themVersion, usClient, themClient }
}

function serve (commands) {
  const lines = readline.createInterface({ input: process.stdin, crlfDelay: Infinity })
  lines.on('line', async line => {
    const { id, do: name, ...args } = JSON.parse(line)
    try {
      if (!Object.hasOwn(commands, name)) throw new Error('no such command: ' + name)
      const result = await commands[name](args)
      write({ id, result: result === undefined ? null : result })
    } catch (error) {
      write({ id, error: describe(error) })
    }
  })
  lines.on('close', () => process.exit(0))
  process.on('uncaughtException', error => write({ event: 'crash', ...describe(error), stack: error.stack }))
  write({ event: 'started', node: process.version })
}

// For APIs that call back with (error, result).
function call (object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (error, ...results) => {
      if (error) reject(error)
      else resolve(results.length > 1 ? results : results[0])
    })
  })
}

function emit (event, fields) {
  write({ event, ...fields })
}

function lookUp (map, name, kind) {
  if (!map.has(name)) throw new Error('no such ' + kind + ': ' + name)
  return map.get(name)
}

module.exports = { serve, call, emit, lookUp, describe }
