import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * The house's layers, lowest first. A folder may import from its own layer and from lower ones only
 * (DESIGN: main → service → app → routes, middleware → auth, rateLimit, cache → redis, postgres → config).
 */
const layers = [
  ['src/errors.ts', 'src/deadline.ts', 'src/closers.ts', 'src/config', 'src/observability'],
  ['src/redis', 'src/postgres'],
  ['src/auth', 'src/rateLimit', 'src/cache', 'src/embedded'],
  ['src/http'],
  ['src/routes', 'src/middleware'],
  ['src/app.ts'],
  ['src/openRedis.ts', 'src/backends.ts', 'src/healthChecks.ts', 'src/monitoring.ts', 'src/service.ts'],
  ['src/main.ts'],
];

const zones = layers
  .flatMap((layer, height) =>
    layer.map((target) => ({
      target: `./${target}`,
      from: layers
        .slice(height + 1)
        .flat()
        .map((path) => `./${path}`),
      message: 'Imports point down only: see the layers in eslint.config.js.',
    })),
  )
  .filter(({ from }) => from.length > 0);

const libraries = ['src/rateLimit', 'src/cache', 'src/redis'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', '.data/', 'docs/'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js', 'scripts/*.mjs'] } },
    },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': ['error', { zones }],
      'max-lines': ['error', { max: 300, skipBlankLines: true }],
    },
  },
  {
    files: libraries.map((folder) => `${folder}/**`),
    rules: { 'no-restricted-imports': ['error', { paths: ['express'], patterns: ['**/auth/**'] }] },
  },
  {
    files: ['src/**'],
    ignores: ['src/main.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only main.ts reads the environment; config/ parses it.' },
        { object: 'process', property: 'exit', message: 'Only main.ts ends the process.' },
      ],
      'no-console': 'error',
    },
  },
  {
    files: ['*.js', 'scripts/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      'import-x/no-default-export': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
  {
    // jest calls what these two export as their default.
    files: ['tests/environment/global*.ts'],
    rules: { 'import-x/no-default-export': 'off' },
  },
  {
    files: ['tests/**'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      'max-lines': 'off',
      // jest's matchers (`expect.any`) are typed as any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
