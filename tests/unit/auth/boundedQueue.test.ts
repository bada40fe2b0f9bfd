import { BoundedQueue } from '../../../src/auth/boundedQueue.ts';

/** Work that ends when the test says so. */
function job() {
  let finish: (value?: string) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const done = new Promise<string | undefined>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  return { work: () => done, finish, fail };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const now = () => performance.now();

describe('BoundedQueue', () => {
  test('runs no more than its number at once, and the rest in order', async () => {
    const queue = new BoundedQueue(now, { concurrency: 3, maxWaitMs: 10_000, expectedWorkMs: 1 });
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = (id: number) => async () => {
      order.push(id);
      most = Math.max(most, (running += 1));
      await settle();
      running -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, (_, id) => queue.run(work(id))));
    expect(most).toBe(3);
    expect(order).toEqual(Array.from({ length: 20 }, (_, id) => id));
    expect(queue.stats()).toMatchObject({ running: 0, waiting: 0, shed: 0, completed: 20 });
  });

  test('refuses at once who would wait too long, and says when to come back', async () => {
    const queue = new BoundedQueue(now, { concurrency: 2, maxWaitMs: 2000, expectedWorkMs: 1000 });
    const blocker = job();
    // Two run; each pair of waiters adds a second: with five waiting, 2.5 s are expected.
    const admitted = Array.from({ length: 7 }, () => queue.run(blocker.work));
    expect(queue.stats()).toMatchObject({ running: 2, waiting: 5 });
    await expect(queue.run(blocker.work)).rejects.toMatchObject({
      code: 'overloaded',
      context: { retryAfterSeconds: 3 },
    });
    expect(queue.stats()).toMatchObject({ waiting: 5, shed: 1 });
    blocker.finish();
    await Promise.all(admitted);
  });

  test('the expected wait follows what work really takes', async () => {
    let time = 0;
    const queue = new BoundedQueue(() => time, { concurrency: 1, maxWaitMs: 1000, expectedWorkMs: 1 });
    for (let i = 0; i < 30; i += 1) await queue.run(() => Promise.resolve(void (time += 800)));
    expect(queue.stats().meanWorkMs).toBeGreaterThan(790);
    const blocker = job();
    const admitted = [queue.run(blocker.work), queue.run(blocker.work), queue.run(blocker.work)];
    await expect(queue.run(blocker.work)).rejects.toMatchObject({ code: 'overloaded' });
    blocker.finish();
    await Promise.all(admitted);
  });

  test('refuses a waiter whose time is over', async () => {
    const queue = new BoundedQueue(now, { concurrency: 1, maxWaitMs: 30, expectedWorkMs: 1 });
    const blocker = job();
    const first = queue.run(blocker.work);
    await expect(queue.run(blocker.work)).rejects.toMatchObject({
      code: 'overloaded',
      context: { retryAfterSeconds: 1 },
    });
    expect(queue.stats()).toMatchObject({ running: 1, waiting: 0, shed: 1 });
    blocker.finish();
    await first;
  });

  test('an aborted waiter leaves the queue, and its work never starts', async () => {
    const queue = new BoundedQueue(now, { concurrency: 1, maxWaitMs: 10_000, expectedWorkMs: 1 });
    const blocker = job();
    const first = queue.run(blocker.work);
    const controller = new AbortController();
    let started = false;
    const second = queue.run(() => Promise.resolve((started = true)), controller.signal);
    controller.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    expect(queue.stats()).toMatchObject({ waiting: 0, shed: 0 });
    blocker.finish();
    await first;
    await settle();
    expect(started).toBe(false);
    await expect(queue.run(() => Promise.resolve('x'), controller.signal)).rejects.toThrow('gone');
  });

  test('keeps the slot of running work whose caller has gone', async () => {
    const queue = new BoundedQueue(now, { concurrency: 1, maxWaitMs: 10_000, expectedWorkMs: 1 });
    const blocker = job();
    const controller = new AbortController();
    const first = queue.run(blocker.work, controller.signal);
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(queue.stats().running).toBe(1);
    expect(queue.hasFreeSlot()).toBe(false);
    blocker.fail(new Error('nobody listens, and nobody must'));
    await settle();
    expect(queue.stats().running).toBe(0);
  });

  test('a failing piece of work frees its slot', async () => {
    const queue = new BoundedQueue(now, { concurrency: 1, maxWaitMs: 1000, expectedWorkMs: 1 });
    await expect(queue.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(queue.run(() => Promise.resolve('fine'))).resolves.toBe('fine');
  });

  test('closing refuses waiters and newcomers, and waits for what runs', async () => {
    const queue = new BoundedQueue(now, { concurrency: 1, maxWaitMs: 10_000, expectedWorkMs: 1 });
    const blocker = job();
    const first = queue.run(blocker.work);
    const second = queue.run(blocker.work);
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await expect(second).rejects.toMatchObject({ code: 'shutting_down' });
    await expect(queue.run(blocker.work)).rejects.toMatchObject({ code: 'shutting_down' });
    await settle();
    expect(closed).toBe(false);
    blocker.finish('done');
    await expect(first).resolves.toBe('done');
    await closing;
    await queue.close();
  });
});
