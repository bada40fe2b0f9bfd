import { setTimeout as sleep } from 'node:timers/promises';
import { createAnswerDeadline, NoAnswerError, type Watched } from '../../../src/redis/answerDeadline.ts';

const never = new Promise<never>(() => undefined);

function entry(): Watched & { expired: number } {
  const call = { before: null, after: null, expired: 0, expire: () => void (call.expired += 1) };
  return call;
}

describe('the answer deadline', () => {
  it('passes on what comes in time: values and errors', async () => {
    const deadline = createAnswerDeadline(() => undefined, { deadlineMs: 1000 });
    await expect(deadline.watch(Promise.resolve(1))).resolves.toBe(1);
    await expect(deadline.watch(Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(deadline.waiting).toBe(0);
  });

  it('gives up what does not come, tells of it once, and counts it as waiting still', async () => {
    let misses = 0;
    const deadline = createAnswerDeadline(() => void (misses += 1), { deadlineMs: 20 });
    await expect(deadline.watch(never)).rejects.toBeInstanceOf(NoAnswerError);
    expect([misses, deadline.waiting]).toEqual([1, 1]);
  });

  it('absorbs an outcome that comes too late', async () => {
    const deadline = createAnswerDeadline(() => undefined, { deadlineMs: 10 });
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    await expect(deadline.watch(work)).rejects.toBeInstanceOf(NoAnswerError);
    fail(new Error('late'));
    await sleep(1);
    expect(deadline.waiting).toBe(0);
  });

  it('does not take its own process being busy for the server being slow', async () => {
    const deadline = createAnswerDeadline(() => undefined, { deadlineMs: 20 });
    const answer = deadline.watch(new Promise((resolve) => setImmediate(() => resolve('in time'))));
    const until = performance.now() + 100;
    while (performance.now() < until);
    await expect(answer).resolves.toBe('in time');
  });

  it('expires each call once, and none that was removed, whatever the order', async () => {
    const deadline = createAnswerDeadline(() => undefined, { deadlineMs: 20 });
    const calls = Array.from({ length: 9 }, entry);
    for (const call of calls) deadline.add(call);
    for (const index of [8, 4, 0]) deadline.remove(calls[index] as Watched);
    await sleep(10);
    const later = entry();
    deadline.add(later);
    await sleep(100);
    deadline.remove(calls[1] as Watched);
    expect(calls.map(({ expired }) => expired)).toEqual([0, 1, 1, 1, 0, 1, 1, 1, 0]);
    expect(later.expired).toBe(1);
  });

  it('works again after it was idle', async () => {
    const deadline = createAnswerDeadline(() => undefined, { deadlineMs: 10 });
    await expect(deadline.watch(never)).rejects.toBeInstanceOf(NoAnswerError);
    await sleep(30);
    await expect(deadline.watch(never)).rejects.toBeInstanceOf(NoAnswerError);
  });
});
