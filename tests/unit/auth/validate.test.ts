import { z } from 'zod';
import { SluiceError } from '../../../src/errors.ts';
import { validate } from '../../../src/http/validate.ts';
import { authSchemas } from '../../../src/routes/auth.ts';

/** The fields that are refused, as `path: message`. */
function problems(schema: z.ZodType, value: unknown): string[] {
  try {
    validate(schema, value);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'invalid_request') throw error;
    return (error.context.fields ?? []).map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('validate', () => {
  test.each<[unknown, string[]]>([
    [{ email: 'a@b.cd', password: 'hunter2' }, []],
    [{ email: 'a@b.cd' }, ['password: is required']],
    [{ email: 'a@b.cd', password: null }, ['password: must be a string']],
    [{ email: ['a@b.cd'], password: { $ne: 'hunter2' } }, ['email: must be a string', 'password: must be a string']],
    [{ email: 'a@b.cd', password: '' }, ['password: must not be empty']],
    [{ email: 'a'.repeat(1025), password: 'hunter2' }, ['email: must have at most 1024 characters']],
    [{ email: 'a@b.cd', password: 'hunter2', admin: true }, ['admin: is not a known field']],
    [
      JSON.parse('{"email":"a@b.cd","password":"hunter2","__proto__":{"admin":true}}'),
      ['__proto__: is not a known field'],
    ],
    [{ email: 'a@b.cd', password: 'hunter2', constructor: 1 }, ['constructor: is not a known field']],
    [[], [': must be an object']],
    ['hunter2', [': must be an object']],
    [null, [': must be an object']],
    [7, [': must be an object']],
  ])('%j', (value, expected) => {
    expect(problems(authSchemas.login, value)).toEqual(expected);
  });

  test('writes paths with dots', () => {
    const schema = z.strictObject({ a: z.array(z.strictObject({ b: z.string() })) });
    expect(problems(schema, { a: [{ b: 'x' }, { b: 1, c: 2 }] })).toEqual([
      'a.1.b: must be a string',
      'a.1.c: is not a known field',
    ]);
  });

  test('neither names nor lists without end', () => {
    const value = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i} `.padEnd(500, 'x'), 1]));
    const listed = problems(z.strictObject({}), value);
    expect(listed).toHaveLength(20);
    expect(Math.max(...listed.map((line) => line.length))).toBeLessThan(100);
  });
});

test('every schema can be written into an OpenAPI document', () => {
  for (const schema of Object.values(authSchemas)) {
    expect(z.toJSONSchema(schema)).toMatchObject({ type: 'object', additionalProperties: false });
  }
});
