import { createSlots } from '../../../src/postgres/slots.ts';

const never = new AbortController().signal;

describe('slots', () => {
  test('are handed on in the order of asking', async () => {
    const slots = createSlots(1, { waitMs: 5000, maxWaiting: 10 });
    const order: number[] = [];
    const first = await slots.take(never);
    const others = [1, 2, 3].map(async (number) => {
      const giveBack = await slots.take(never);
      order.push(number);
      giveBack();
    });
    expect(slots.waiting).toBe(3);
    first();
    await Promise.all(others);
    expect(order).toEqual([1, 2, 3]);
    expect(slots.waiting).toBe(0);
  });

  test('given back twice count once', async () => {
    const slots = createSlots(1, { waitMs: 20, maxWaiting: 10 });
    const giveBack = await slots.take(never);
    giveBack();
    giveBack();
    await slots.take(never);
    await expect(slots.take(never)).rejects.toMatchObject({ code: 'overloaded' });
  });

  test('refuse who waits too long, who comes when too many wait, and who gives up; none of them keeps a slot', async () => {
    const slots = createSlots(1, { waitMs: 50, maxWaiting: 1 });
    const giveBack = await slots.take(never);
    const late = slots.take(never);
    await expect(slots.take(never)).rejects.toMatchObject({ code: 'overloaded' });
    await expect(late).rejects.toMatchObject({ code: 'overloaded', context: { retryAfterSeconds: 1 } });
    const stop = new AbortController();
    const left = slots.take(stop.signal);
    stop.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    expect(slots.waiting).toBe(0);
    giveBack();
    await slots.take(never);
  });

  test('refuse everybody on demand', async () => {
    const slots = createSlots(1, { waitMs: 5000, maxWaiting: 10 });
    await slots.take(never);
    const waiting = [slots.take(never), slots.take(never)];
    slots.refuse(new Error('closing'));
    for (const one of waiting) await expect(one).rejects.toThrow('closing');
  });
});
