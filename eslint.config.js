import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const noRestricted = (names) => ['error', ...names];

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      'packages/client/src/api.ts',
      'node_modules/',
      '.try-it-now/',
      'docs/',
      'examples/*/public/',
      'coverage/',
      'bench-results/',
    ],
  },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-console': 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-len': ['error', { code: 120 }],
      'no-restricted-properties': noRestricted([
        { object: 'process', property: 'env', message: 'Read the environment in src/config only.' },
      ]),
    },
  },
  // A suite is one callback, as long as it has cases; each case is short.
  { files: ['**/*.test.ts', 'test/hostile/**/*.ts', 'test/contract/**'], rules: { 'max-lines-per-function': 'off' } },
  // A table, one entry a code.
  { files: ['src/domain/errors.ts'], rules: { 'max-lines': 'off' } },
  // A table, one entry a metric; split, its types could not be inferred from it as a whole.
  { files: ['src/telemetry/metric-table.ts'], rules: { 'max-lines-per-function': 'off' } },
  // A terminal is where the CLI, the entry point and the scripts speak; the environment enters at the edge.
  {
    files: [
      'src/cli/**',
      'src/main.ts',
      'scripts/**',
      'test/bench/**',
      'test/drills/outages.ts',
      'test/drills/upgrade-drill.ts',
      'examples/**',
      'deploy/**',
    ],
    rules: { 'no-console': 'off' },
  },
  {
    files: [
      'src/config/**',
      'src/main.ts',
      'src/launcher/**',
      'scripts/**',
      'test/**',
      'examples/**',
      'deploy/**',
      '**/*.test.ts',
      'vitest.config.ts',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['**/*.js', '**/*.cjs', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        module: 'writable',
        Buffer: 'readonly',
      },
    },
  },
  // Node-RED loads its settings with require.
  {
    files: ['examples/node-red/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly' } },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
);
