import { readdirSync, readFileSync } from 'node:fs';
import { openApiDocument } from '../../../src/routes/openapi.ts';

interface Document {
  paths: Record<
    string,
    Record<string, { responses: Record<string, unknown>; requestBody?: unknown; security?: unknown }>
  >;
}
const { paths } = openApiDocument() as unknown as Document;
const documented = Object.entries(paths).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => `${method} ${path}`),
);

/** `router.get('/x'` and `route('/x', 'post'` in the sources of the routes. */
function mounted(): string[] {
  return readdirSync('src/routes').flatMap((file) => {
    const source = readFileSync(`src/routes/${file}`, 'utf8');
    const direct = [...source.matchAll(/router\.(get|post|put|delete)\('([^']+)'/g)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    const tabled = [...source.matchAll(/\broute\('([^']+)', '(get|post)'/g)].map(
      ([, path, method]) => `${method} ${path}`,
    );
    return [...direct, ...tabled];
  });
}

describe('the OpenAPI document', () => {
  it('describes every route that is mounted, and none besides', () => {
    expect(documented.sort()).toEqual(mounted().sort());
  });

  it('gives each route a success, and each one that is counted a 429', () => {
    for (const [path, methods] of Object.entries(paths)) {
      for (const { responses } of Object.values(methods)) {
        expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
        expect('429' in responses).toBe(!['/livez', '/readyz'].includes(path));
      }
    }
  });

  it('has the schema that refuses unknown fields', () => {
    expect(JSON.stringify(paths['/register']?.['post']?.requestBody)).toContain('"additionalProperties":false');
  });
});
