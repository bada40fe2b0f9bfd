import { createAddressMap } from '../../../src/redis/addressMap.ts';

const loopbackNodes = [6379, 6380, 6381].map((port) => ({ host: '127.0.0.1', port }));

describe('the map of announced addresses', () => {
  it('leaves a cluster alone that was given by its real addresses', () => {
    expect(createAddressMap([{ host: 'redis-1', port: 6379 }])).toBeUndefined();
  });

  it('reaches container addresses by their published ports when the nodes were given as loopback', () => {
    expect(createAddressMap(loopbackNodes)?.('172.28.0.12:6380')).toEqual({ host: '127.0.0.1', port: 6380 });
  });

  it('leaves announced loopback addresses and unpublished ports as they are', () => {
    const map = createAddressMap(loopbackNodes);
    expect(map?.('127.0.0.1:6380')).toBeNull();
    expect(map?.('172.28.0.99:7000')).toBeNull();
  });

  it('guesses nothing from a single loopback seed, which may be one host of many', () => {
    expect(createAddressMap([{ host: '127.0.0.1', port: 6379 }])).toBeUndefined();
  });

  it('reaches every node by the configured host, IPv6 and new ports included', () => {
    const map = createAddressMap([{ host: 'redis-1', port: 6379 }], 'gateway');
    expect(map?.('fd00::12:6385')).toEqual({ host: 'gateway', port: 6385 });
  });
});
