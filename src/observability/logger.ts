/** The logger: pino, JSON by default, readable in a terminal. */
import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type { Logger };

/** Fields that never reach a log line, wherever in an object they stand. */
const secretFields = [
  'password',
  'currentPassword',
  'newPassword',
  'accessToken',
  'refreshToken',
  'authorization',
  'email',
];

/**
 * An error as it is logged: a database's error also carries rows (`detail: "Key (email)=(…) already exists"`), so only
 * these members of it and of its causes are kept.
 */
function errorLine(error: Error & { code?: unknown }): Record<string, unknown> {
  const { name, message, code, stack, cause } = error;
  return {
    name,
    message,
    ...(code !== undefined && { code }),
    stack,
    ...(cause instanceof Error && { cause: errorLine(cause) }),
  };
}

/** What the logger needs to know. `format` unset: pretty where stdout is a terminal. */
export interface LoggerOptions {
  readonly level: string;
  readonly format: 'json' | 'pretty' | undefined;
}

/** Makes the process's logger. It writes synchronously, so that no line is lost when the process ends. */
export function createLogger({ level, format }: LoggerOptions): Logger {
  const options = {
    level,
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
    base: null,
    serializers: { err: errorLine },
  };
  const pretty = format === 'pretty' || (format === undefined && process.stdout.isTTY);
  return pretty
    ? pino(
        options,
        PinoPretty({ colorize: process.stdout.isTTY, translateTime: 'HH:MM:ss.l', singleLine: true, sync: true }),
      )
    : pino(options);
}
