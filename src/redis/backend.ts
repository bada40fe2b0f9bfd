/**
 * One interface for every Redis that Sluice can stand on: a cluster, a single server, Upstash over REST, or memory.
 * The conformance suite in tests/ holds all of them to it; whatever uses Redis (limiter, cache, health) sees only this.
 */
import type { EventEmitter } from 'node:events';

/** The kinds of backend, in the order in which a service falls back. */
export type BackendType = 'cluster' | 'single' | 'upstash' | 'memory';

/** What a command may carry. */
export type CommandArgument = string | number | Buffer;

/** A Lua script; the server keeps it by its SHA-1, so its text travels once. */
export interface Script {
  /** For messages. */
  readonly name: string;
  readonly lua: string;
}

/** `ready`: commands get through (again). `unavailable`: none does, and why. */
export interface BackendEvents {
  ready: [];
  unavailable: [reason: Error];
}

/** See the module's header. Every call ends within the backend's deadline: with an answer or with an error. */
export interface RedisBackend {
  readonly type: BackendType;
  /** Whether other processes see the same data. */
  readonly distributed: boolean;
  readonly events: EventEmitter<BackendEvents>;
  /** True while commands get through. */
  isReady(): boolean;
  /**
   * Sends one command, e.g. `executeCommand('set', key, value, 'PX', 1000)`. Keys get the backend's prefix.
   * @throws {RedisUnavailableError} it was not sent; {@link NoAnswerError} no answer in time, it may have been done;
   * else the server's own error reply.
   */
  executeCommand<Reply = unknown>(name: string, ...args: CommandArgument[]): Promise<Reply>;
  /** Runs a script on the server that owns `keys` (all in one slot), sending its text only where it is not known. */
  runScript<Reply = unknown>(script: Script, keys: readonly string[], args: readonly CommandArgument[]): Promise<Reply>;
  /** What happened since the start; cheap, nothing is asked of the server. */
  report(): BackendReport;
  close(): Promise<void>;
}

/** The command was not sent: not connected, or a circuit breaker is open. Safe to try elsewhere. */
export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError';
}

/** One server as its client sees it. */
export interface NodeReport {
  /** `host:port`. */
  readonly address: string;
  readonly role: 'master' | 'replica' | 'unknown';
  /** Connected, and its breaker is not open. */
  readonly healthy: boolean;
  /** Failed commands since the start. */
  readonly failureCount: number;
  readonly connections: number;
  /** Only where there is a breaker: masters of a cluster. */
  readonly breaker?: 'closed' | 'open' | 'half-open';
}

/** Counters and latencies of one backend. */
export interface BackendReport {
  readonly type: BackendType;
  readonly ready: boolean;
  readonly uptimeSeconds: number;
  readonly operations: {
    readonly total: number;
    readonly successful: number;
    readonly failed: number;
    readonly retried: number;
  };
  /** In seconds, from a histogram of fixed size; 0 before the first command. */
  readonly latency: { readonly p50: number; readonly p95: number; readonly p99: number; readonly avg: number };
  readonly connections: { readonly total: number; readonly active: number; readonly idle: number };
  readonly nodes: readonly NodeReport[];
}
