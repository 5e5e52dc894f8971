// Preloaded into every process and thread of a test (NODE_OPTIONS=--require): a call that would use the network fails
// and is noted in the file NETWORK_RECORD.
const { appendFileSync } = require('node:fs');

function forbid(owner, name, label) {
  const refuse = () => {
    appendFileSync(process.env.NETWORK_RECORD, `${label}.${name}\n`);
    throw new Error(`${label}.${name}: the network is forbidden in this test`);
  };
  Object.defineProperty(owner, name, { value: refuse, configurable: true, writable: true });
}

const net = require('node:net');
forbid(net.Socket.prototype, 'connect', 'Socket');
forbid(net.Server.prototype, 'listen', 'Server');
forbid(require('node:dgram'), 'createSocket', 'dgram');
for (const name of ['lookup', 'resolve', 'resolve4', 'resolve6', 'reverse']) {
  forbid(require('node:dns'), name, 'dns');
  if (name in require('node:dns').promises) forbid(require('node:dns').promises, name, 'dns.promises');
}
for (const name of ['request', 'get']) {
  forbid(require('node:http'), name, 'http');
  forbid(require('node:https'), name, 'https');
}
forbid(require('node:http2'), 'connect', 'http2');
forbid(require('node:tls'), 'connect', 'tls');
for (const name of ['fetch', 'WebSocket', 'EventSource']) forbid(globalThis, name, 'global');
