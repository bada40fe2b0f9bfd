/**
 * Makes dist/ from src/ and scripts/: swc strips the types (types are checked by `npm run check`; tsc would take most
 * of a first start's time), and what is not TypeScript (.sql, .lua) is copied.
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

/** `./x.ts` in an import becomes `./x.js`. */
const options = {
  swcrc: false,
  sourceMaps: true,
  jsc: { target: 'es2023', parser: { syntax: 'typescript' }, rewriteRelativeImportExtensions: true },
  module: { type: 'es6' },
};

function compile(source, target) {
  const { code, map } = transformFileSync(source, { ...options, sourceFileName: relative(dirname(target), source) });
  const path = target.replace(/\.ts$/, '.js');
  writeFileSync(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`);
  writeFileSync(`${path}.map`, map);
}

rmSync(dist, { recursive: true, force: true });
for (const folder of ['src', 'scripts']) {
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(dist, relative(root, source));
    mkdirSync(dirname(target), { recursive: true });
    if (source.endsWith('.ts')) compile(source, target);
    else if (/\.(sql|lua)$/.test(source)) copyFileSync(source, target);
  }
}
