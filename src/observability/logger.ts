/** The logger: pino, JSON by default, readable in a terminal. */
import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type { Logger };

/** Fields that never reach a log line, wherever in an object they stand. */
const secretFields = ['password', 'currentPassword', 'newPassword', 'accessToken', 'refreshToken', 'authorization', 'email'];

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
  };
  const pretty = format === 'pretty' || (format === undefined && process.stdout.isTTY);
  return pretty
    ? pino(options, PinoPretty({ colorize: process.stdout.isTTY, translateTime: 'HH:MM:ss.l', sync: true }))
    : pino(options);
}
