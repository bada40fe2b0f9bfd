/** Waits for a backend to begin to serve. */
import type { RedisBackend } from './backend.ts';

/** True as soon as `backend` is ready; false when it is not within `ms` milliseconds. */
export async function waitUntilReady(backend: Pick<RedisBackend, 'isReady' | 'events'>, ms: number): Promise<boolean> {
  if (backend.isReady()) return true;
  return new Promise((resolve) => {
    const settle = (ready: boolean) => {
      clearTimeout(timer);
      backend.events.off('ready', onReady);
      resolve(ready);
    };
    const onReady = () => settle(true);
    const timer = setTimeout(() => settle(false), ms);
    backend.events.once('ready', onReady);
  });
}
