/** `cluster.json`: what a data directory's cluster consists of, and who started it. Outlives the process that wrote it. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const processIdentity = z.object({ pid: z.number().int().positive(), begun: z.string() });

const clusterFile = z.object({
  version: z.literal(1),
  /** A service stops its cluster with itself; one that `npm run cluster -- up` started stays until `down`. */
  startedBy: z.enum(['service', 'cluster up']),
  /** The process that started it, as long as that process has not stopped it. */
  owner: processIdentity.optional(),
  replicas: z.number().int().nonnegative(),
  nodes: z.array(
    z.object({
      /** The node's folder beside the file. */
      name: z.string().regex(/^node-\d+$/),
      host: z.string(),
      port: z.number().int(),
      process: processIdentity.optional(),
    }),
  ),
});

/** The content of the file. */
export type ClusterFile = z.infer<typeof clusterFile>;

/**
 * @returns `undefined` when there is none.
 * @throws {Error} when it is not one: nothing is guessed about processes that may be running.
 */
export async function readClusterFile(dir: string): Promise<ClusterFile | undefined> {
  const path = join(dir, 'cluster.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return clusterFile.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${path} cannot be read; remove it if no Redis node of that folder runs.`, {
      cause: error,
    });
  }
}

/** Replaces the file in one step: a reader sees the old one or the new one. */
export async function writeClusterFile(dir: string, content: ClusterFile): Promise<void> {
  const path = join(dir, 'cluster.json');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}
