/** `npm run check`: types, lint and formatting, everything that runs in seconds. `npm run format` mends the last. */
import { join } from 'node:path';
import { prepare, root, run } from './bootstrap.mjs';

prepare();
const bin = (...path) => join(root, 'node_modules', ...path);
const stdio = 'inherit';
run(process.execPath, [bin('typescript', 'bin', 'tsc'), '-p', '.'], { stdio });
run(process.execPath, [bin('eslint', 'bin', 'eslint.js'), '--max-warnings', '0', '.'], { stdio });
run(process.execPath, [bin('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.'], { stdio });
