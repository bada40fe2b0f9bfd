/** Checks what a client sent against a schema, and says what is wrong without repeating it. */
import type { z } from 'zod';
import { SluiceError, type FieldError } from '../errors.ts';

/** More problems than these are not listed. */
const maxFields = 20;
const maxNameLength = 64;

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/**
 * The parsed value.
 * @throws {SluiceError} `invalid_request` with one {@link FieldError} a problem; no message holds a value.
 */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: message });
  if (result.success) return result.data;
  const fields = firstOfEachPath(result.error.issues.flatMap(toFields));
  throw new SluiceError('invalid_request', { fields: fields.slice(0, maxFields) });
}

const unknownField = 'is not a known field';

function toFields(issue: Issue): FieldError[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return [{ path: dotted(path), message: issue.message }];
  return issue.keys.map((key) => ({ path: dotted([...path, key]), message: unknownField }));
}

/** A value of the wrong type may fail further checks, which say nothing new. */
function firstOfEachPath(fields: readonly FieldError[]): FieldError[] {
  const byPath = new Map<string, FieldError>();
  for (const field of fields) if (!byPath.has(field.path)) byPath.set(field.path, field);
  return [...byPath.values()];
}

function dotted(path: readonly string[]): string {
  return path.map((name) => name.slice(0, maxNameLength)).join('.');
}

function message(issue: RawIssue): string {
  if (issue.code === 'invalid_type')
    return issue.input === undefined ? 'is required' : `must be ${withArticle(issue.expected)}`;
  if (issue.code === 'too_big') return `must have at most ${issue.maximum} characters`;
  if (issue.code !== 'too_small') return 'is not valid';
  return Number(issue.minimum) === 1 ? 'must not be empty' : `must have at least ${issue.minimum} characters`;
}

function withArticle(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
