/** Reads the URL of a single Redis. */

/** Where a single Redis is and how to get in. */
export interface SingleRedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

/**
 * Parses `redis://user:password@host:6379/0`; `rediss://` for TLS. Port 6379 and database 0 where none is given.
 * @throws {Error} saying what is wrong; never with the URL itself, which may hold a password.
 */
export function parseRedisUrl(text: string): SingleRedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '') {
    throw new Error('must be redis://host:port or rediss://host:port (a password goes in percent-encoded)');
  }
  const path = url.pathname.replace(/^\//, '');
  if (!/^\d{0,4}$/.test(path)) throw new Error('must end in the number of a database, e.g. /0');
  if (url.search !== '') throw new Error('must have no ?parameters: each has a variable of its own');
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    db: Number(path),
    username: decoded(url.username),
    password: decoded(url.password),
    tls: url.protocol === 'rediss:',
  };
}

function decoded(part: string): string | undefined {
  try {
    return part === '' ? undefined : decodeURIComponent(part);
  } catch {
    throw new Error('has a user or password that is not percent-encoded');
  }
}
