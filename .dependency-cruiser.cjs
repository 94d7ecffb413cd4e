/**
 * Imports go one way: domain <- pool <- http, web, cli. Engines implement the interfaces of their consumers and know
 * nothing else of them; src/composition alone sees both sides. Rules name folders: a new file falls under them by where
 * it lies.
 */
const ENGINES = 'store|queue|runtime|proxy|database|checkpoints|oidc';
const engines = `^src/(${ENGINES})/`;
const interfaces = '^src/(pool|proxy/discovery)/interfaces/';
const from = (path) => ({ path, pathNot: '\\.test\\.ts$' });

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: from('^src/domain/'),
      to: { path: '^src/', pathNot: '^src/domain/' },
    },
    {
      name: 'domain-no-node',
      severity: 'error',
      from: from('^src/domain/'),
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'pool-knows-no-engine',
      severity: 'error',
      from: from('^src/pool/'),
      to: { path: '^src/', pathNot: '^src/(pool|domain|lifecycle)/' },
    },
    {
      name: 'engines-know-interfaces-only',
      severity: 'error',
      from: from(engines),
      to: { path: '^src/(pool|http|web|cli|config)/', pathNot: interfaces },
    },
    {
      name: 'only-container-engines-launch',
      severity: 'error',
      from: { path: engines, pathNot: '^src/runtime/|\\.test\\.ts$' },
      to: { path: '^src/launcher/' },
    },
    {
      name: 'engines-know-no-other-engine',
      severity: 'error',
      from: from(engines),
      to: { path: engines, pathNot: ['^src/$1/', interfaces] },
    },
    {
      name: 'http-knows-no-engine',
      severity: 'error',
      from: from('^src/(http|web|dashboard)/'),
      to: { path: `^src/(${ENGINES}|launcher|cli)/` },
    },
    {
      name: 'http-knows-no-pages',
      severity: 'error',
      from: from('^src/http/'),
      to: { path: '^src/(web|dashboard)/' },
    },
    {
      name: 'visitors-and-operators-have-pages-of-their-own',
      severity: 'error',
      from: from('^src/(web|dashboard)/'),
      to: { path: '^src/(web|dashboard)/', pathNot: '^src/$1/' },
    },
    {
      name: 'only-entry-points-compose',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(composition|cli)/|\\.test\\.ts$' },
      to: { path: '^src/composition/' },
    },
    {
      name: 'launcher-stands-alone',
      severity: 'error',
      from: from('^src/launcher/'),
      to: { path: '^src/', pathNot: '^src/(launcher|lifecycle|domain)/' },
    },
    {
      name: 'no-tests-in-code',
      severity: 'error',
      from: from('^src/'),
      to: { path: '^test/|\\.test\\.ts$' },
    },
    {
      name: 'no-dev-dependency-in-code',
      severity: 'error',
      from: from('^src/'),
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
