import type { IncomingMessage } from 'node:http';
import { trustedProxies } from '../../../src/config/trustedProxies.ts';
import {
  canonicalClient,
  createClientKey,
  trustFunction,
  unknownClient,
} from '../../../src/rateLimit/clientAddress.ts';

describe('the canonical client', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9:51234', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::ffff:cb00:7109', '203.0.113.9'],
    ['0:0:0:0:0:FFFF:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::1]:443', '2001:db8:1:2::/64'],
    ['2001:db8::1.2.3.4', '2001:db8::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['64:ff9b::203.0.113.9', '203.0.113.9'],
    ['2001:0:53aa:64c:0:7bcb:d0e3:d9d2', '2001:0:53aa:64c:0:7bcb:d0e3:d9d2'],
    ['::1', '::1'],
    ['127.0.0.1', '127.0.0.1'],
  ])('of %s is %s', (address, key) => {
    expect(canonicalClient(address, 64)).toBe(key);
  });

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '256.1.1.1', '::g', 'a'.repeat(10_000), undefined])(
    'of %p, which is no address, is counted together with the other unknown ones',
    (address) => {
      expect(canonicalClient(address, 64)).toBe(unknownClient);
    },
  );

  it.each([
    [56, '2001:db8:1:ab00::/56'],
    [128, '2001:db8:1:abcd:1:2:3:4/128'],
    [32, '2001:db8::/32'],
  ])('follows the prefix length %i', (prefix, key) => {
    expect(canonicalClient('2001:db8:1:abcd:1:2:3:4', prefix)).toBe(key);
  });
});

describe('the client of a request', () => {
  const request = (remoteAddress: string | undefined, forwardedFor?: string) =>
    ({
      socket: { remoteAddress },
      headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
    }) as unknown as IncomingMessage;
  const keyWith = (...trusted: string[]) =>
    createClientKey({ trusted: trustFunction(trustedProxies(trusted)), ipv6Prefix: 64 });

  it('is the socket, whatever X-Forwarded-For says, while no proxy is trusted', () => {
    expect(keyWith()(request('203.0.113.9', '198.51.100.1'))).toBe('203.0.113.9');
  });

  it('is what the trusted proxy saw', () => {
    expect(keyWith('10.0.0.0/8')(request('10.0.0.5', '198.51.100.1'))).toBe('198.51.100.1');
  });

  it('is the right-most address that is not a proxy: the left part may be made up', () => {
    expect(keyWith('10.0.0.0/8')(request('10.0.0.5', '1.1.1.1, 198.51.100.1, 10.0.0.9'))).toBe('198.51.100.1');
  });

  it('is the socket when someone else than the proxy sends the header', () => {
    expect(keyWith('10.0.0.0/8')(request('203.0.113.9', '198.51.100.1'))).toBe('203.0.113.9');
  });

  it('is found behind a given number of proxies', () => {
    expect(keyWith('1')(request('203.0.113.9', '1.1.1.1, 198.51.100.1'))).toBe('198.51.100.1');
  });

  it('is counted as unknown when the socket is gone', () => {
    expect(keyWith('1')(request(undefined, '198.51.100.1'))).toBe(unknownClient);
    expect(keyWith()(request(undefined))).toBe(unknownClient);
  });

  it('stays one client whatever garbage the header holds', () => {
    const key = keyWith();
    for (const garbage of ['', ',,,', '<script>', '\u0000', 'x'.repeat(5000)]) {
      expect(key(request('203.0.113.9', garbage))).toBe('203.0.113.9');
    }
  });
});
