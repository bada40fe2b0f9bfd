import fc from 'fast-check';
import { Command } from 'ioredis';
import { keySlot } from '../../../src/redis/keySlot.ts';

describe('the slot of a key', () => {
  it('is the one of the specification', () => {
    expect(keySlot('123456789')).toBe(0x31c3);
    expect(keySlot('foo')).toBe(12182);
  });

  it('depends on the hash tag alone, when there is one that is not empty', () => {
    expect(keySlot('{user1000}.following')).toBe(keySlot('user1000'));
    expect(keySlot('foo{}{bar}')).not.toBe(keySlot('bar'));
    expect(keySlot('foo{{bar}}zap')).toBe(keySlot('{bar'));
  });

  // With an empty tag ioredis goes on to the next `}`, where the specification (and the server) takes the whole key.
  it('agrees with ioredis on every key without an empty tag', () => {
    const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('{', '}', 'a', 'é') }));
    fc.assert(
      fc.property(keys, (key) => {
        fc.pre(!key.includes('{}'));
        expect(keySlot(key)).toBe(new Command('get', [key]).getSlot());
      }),
    );
  });
});
