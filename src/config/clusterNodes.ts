/** Reads the addresses of a Redis Cluster's nodes. */

/** One node's address. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

const defaultPort = 6379;

/**
 * Parses `h1:6379,[::1]:6380,h3` (port 6379 where none is given).
 * @throws {Error} naming the entry that is not an address.
 */
export function parseClusterNodes(text: string): NodeAddress[] {
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.every((entry) => entry === '')) throw new Error('names no node');
  const nodes = entries.map(parseNode);
  const seen = new Set<string>();
  for (const { host, port } of nodes) {
    const address = `${host}:${port}`;
    if (seen.has(address)) throw new Error(`names ${address} twice`);
    seen.add(address);
  }
  return nodes;
}

/** Parses one `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. */
function parseNode(entry: string): NodeAddress {
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::(.*))?$/.exec(entry);
  const plain = /^([A-Za-z0-9._-]+)(?::(.*))?$/.exec(entry);
  const [, host, portText] = bracketed ?? plain ?? [];
  if (host === undefined) {
    const hint = entry.split(':').length > 2 ? ' (an IPv6 address goes in brackets: [::1]:6379)' : '';
    throw new Error(`"${entry}" is not host:port${hint}`);
  }
  return { host, port: portText === undefined ? defaultPort : parsePort(portText, entry) };
}

function parsePort(text: string, entry: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port >= 1 && port <= 65_535)) throw new Error(`"${entry}" has no port between 1 and 65535`);
  return port;
}

/**
 * Collects `REDIS_NODE_1_HOST`, `REDIS_NODE_1_PORT`, `REDIS_NODE_2_HOST`, … in the order of their numbers.
 * @throws {Error} naming the variable that is wrong or has no partner.
 */
export function numberedClusterNodes(env: Readonly<Record<string, string | undefined>>): NodeAddress[] {
  const byNumber = new Map<number, { host?: string; port?: string }>();
  for (const [name, value] of Object.entries(env)) {
    const match = /^REDIS_NODE_(\d+)_(HOST|PORT)$/.exec(name);
    if (!match || value === undefined || value === '') continue;
    const node = byNumber.get(Number(match[1])) ?? {};
    if (match[2] === 'HOST') node.host = value;
    else node.port = value;
    byNumber.set(Number(match[1]), node);
  }
  return [...byNumber.entries()]
    .sort(([a], [b]) => a - b)
    .map(([number, { host, port }]) => {
      if (host === undefined) throw new Error(`REDIS_NODE_${number}_PORT is set but REDIS_NODE_${number}_HOST is not`);
      const bare = host.replace(/^\[(.*)\]$/, '$1');
      if (!/^[A-Za-z0-9._:-]+$/.test(bare)) throw new Error(`REDIS_NODE_${number}_HOST is not a host name or address`);
      return {
        host: bare,
        port: port === undefined ? defaultPort : parsePort(port, `REDIS_NODE_${number}_PORT=${port}`),
      };
    });
}
