/** The process: configuration → service → listen; drains on SIGTERM and SIGINT. */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError, loadConfig, type Config } from './config/loadConfig.ts';
import { createLogger, type Logger } from './observability/logger.ts';
import { startService, type Service } from './service.ts';

/** A terminal's Ctrl-C arrives twice under npm (from the terminal and from npm); a person's second one comes later. */
const secondSignalMs = 1000;
/** What closing everything after the last request may take. */
const closeAllowanceMs = 10_000;

function readConfig(): Config {
  const file: NodeJS.Dict<string> = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  try {
    return loadConfig({ ...file, ...process.env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** Ends the process in order, once; `exitCode` when all went well. */
function createShutdown(config: Config, logger: Logger, service: () => Service | undefined) {
  let begunAt: number | undefined;
  return (reason: string, exitCode: number) => {
    if (begunAt !== undefined) {
      if (performance.now() - begunAt < secondSignalMs) return;
      logger.warn('second signal: ending at once');
      process.exit(1);
    }
    begunAt = performance.now();
    const limitMs = config.http.shutdownDelayMs + config.http.shutdownTimeoutMs + closeAllowanceMs;
    logger.info({ reason }, 'shutting down');
    setTimeout(() => {
      logger.error(`not shut down within ${limitMs} ms`);
      process.exit(1);
    }, limitMs).unref();
    const closed = service()?.close() ?? Promise.resolve();
    closed.then(
      () => {
        logger.info('stopped');
        process.exit(exitCode);
      },
      (error: unknown) => {
        logger.fatal({ err: error }, 'could not shut down');
        process.exit(1);
      },
    );
  };
}

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config.log);
  const starting = new AbortController();
  let service: Service | undefined;
  const shutdown = createShutdown(config, logger, () => service);

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // While starting there is no service yet: the start is told to stop and closes what it has opened.
      starting.abort(new Error(`stopped by ${signal}`));
      if (service !== undefined) shutdown(signal, 0);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, event);
      shutdown(event, 1);
    });
  }

  logger.info({ node: process.version, pid: process.pid }, 'starting');
  try {
    service = await startService(config, { logger, signal: starting.signal });
  } catch (error) {
    if (starting.signal.aborted) {
      logger.info('stopped while starting');
      process.exit(0);
    }
    logger.fatal({ reason: (error as Error).message }, 'could not start');
    logger.debug({ err: error }, 'could not start');
    process.exit(1);
  }
  if (starting.signal.aborted) {
    shutdown('stopped while starting', 0);
    return;
  }
  logger.info({ url: service.url }, 'listening');
  if (config.environment !== 'production') process.stderr.write(firstSteps(service.url));
}

/** Three lines to try. */
function firstSteps(url: string): string {
  const json = '-H \'Content-Type: application/json\' -d \'{"email":"ada@example.com","password":"correct horse"}\'';
  return `
Sluice listens on ${url}. Try:

  curl -i ${url}/health
  curl -i ${url}/register ${json}
  curl -i ${url}/login ${json}

Your first 429: npm run load-test${url.endsWith(':3000') ? '' : ` -- --url ${url}/health`}      Stop: Ctrl-C

`;
}

await main();
