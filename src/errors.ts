/**
 * Every error that a client may see: one union of codes, one table from code to HTTP answer.
 *
 * Code that fails throws a `SluiceError`; `http/problem.ts` turns it into `application/problem+json`
 * (RFC 9457). Anything else that is thrown is a defect and reaches the client as `internal` with no detail.
 */

const ietf = 'https://iana.org/assignments/http-problem-types';
const own = 'urn:problem-type:sluice';

/** code → status, title and type of the answer. `type` is stable: clients may switch on it. */
export const errorTable = {
  invalid_request: { status: 400, title: 'The request is not valid', type: `${own}:invalid-request` },
  malformed_json: { status: 400, title: 'The body is not valid JSON', type: `${own}:malformed-json` },
  invalid_credentials: { status: 401, title: 'Wrong email or password', type: `${own}:invalid-credentials` },
  missing_token: { status: 401, title: 'An access token is required', type: `${own}:missing-token` },
  invalid_token: { status: 401, title: 'The token is not valid', type: `${own}:invalid-token` },
  forbidden: { status: 403, title: 'Not allowed', type: `${own}:forbidden` },
  not_found: { status: 404, title: 'There is nothing here', type: `${own}:not-found` },
  method_not_allowed: { status: 405, title: 'This method is not allowed here', type: `${own}:method-not-allowed` },
  email_taken: { status: 409, title: 'This email address is already registered', type: `${own}:email-taken` },
  payload_too_large: { status: 413, title: 'The body is too large', type: `${own}:payload-too-large` },
  unsupported_media_type: { status: 415, title: 'The body must be JSON', type: `${own}:unsupported-media-type` },
  rate_limited: { status: 429, title: 'Too many requests', type: `${ietf}#quota-exceeded` },
  internal: { status: 500, title: 'Something went wrong on our side', type: `${own}:internal` },
  overloaded: { status: 503, title: 'Too busy to answer now', type: `${ietf}#temporary-reduced-capacity` },
  deadline_exceeded: { status: 503, title: 'The answer took too long', type: `${own}:deadline-exceeded` },
  database_unavailable: { status: 503, title: 'The database cannot be reached', type: `${own}:database-unavailable` },
  outcome_unknown: { status: 503, title: 'It is not known whether this was done', type: `${own}:outcome-unknown` },
  shutting_down: { status: 503, title: 'This instance is shutting down', type: `${own}:shutting-down` },
} as const satisfies Record<string, { status: number; title: string; type: string }>;

/** The codes of {@link SluiceError}. */
export type ErrorCode = keyof typeof errorTable;

/** One field that failed validation. `path` is dotted (`address.city`), empty for the body as a whole. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** What a {@link SluiceError} may carry besides its code. */
export interface ErrorContext {
  /** One sentence for the person who reads the answer; never holds a secret or another user's data. */
  readonly detail?: string;
  /** For `invalid_request`: what is wrong, by field. */
  readonly fields?: readonly FieldError[];
  /** Seconds until a retry makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** More members of the problem document, e.g. `violated-policies`. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** More response headers, e.g. `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error that has an answer in {@link errorTable}. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext = {}) {
    super(context.detail ?? errorTable[code].title, { cause: context.cause });
    this.code = code;
    this.context = context;
  }
}
