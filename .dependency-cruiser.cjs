/** Imports go one way: domain <- pool <- http, cli; engines import domain and pool/ports only; the files beside them (app.ts, adapters.ts …) alone see both sides. */
const engines = '^src/(store|queue|runtime|proxy|database|checkpoints)/';
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^src/domain/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: '^src/domain/' },
    },
    {
      name: 'domain-no-node',
      severity: 'error',
      from: { path: '^src/domain/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'pool-knows-no-engine',
      severity: 'error',
      from: { path: '^src/pool/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(pool|domain|lifecycle)/' },
    },
    {
      name: 'engines-know-ports-only',
      severity: 'error',
      from: { path: engines, pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(pool|http|web|cli|config|launcher)/', pathNot: '^src/pool/(operator-)?ports\\.ts$' },
    },
    {
      name: 'engines-are-strangers',
      severity: 'error',
      from: { path: '^src/(store|queue|runtime|proxy|database|checkpoints)/', pathNot: '\\.test\\.ts$' },
      to: { path: engines, pathNot: ['^src/$1/', '^src/proxy/discovery/ports\\.ts$'] },
    },
    {
      name: 'http-knows-no-engine',
      severity: 'error',
      from: { path: '^src/(http|web)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(store|queue|runtime|proxy|database|checkpoints|launcher|cli)/' },
    },
    {
      name: 'only-the-root-sees-both-sides',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/(app|app-parts|app-loops|adapters|main|checkpoint-desk|reconcile-desk|operator-desk|doctor-desk|clean-desk|restore-parts)\\.ts$|^src/cli/|\\.test\\.ts$',
      },
      to: {
        path: '^src/(app|app-parts|app-loops|adapters|checkpoint-desk|reconcile-desk|operator-desk|doctor-desk|clean-desk|restore-parts)\\.ts$',
      },
    },
    {
      name: 'launcher-stands-alone',
      severity: 'error',
      from: { path: '^src/launcher/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(launcher|lifecycle|domain)/' },
    },
    {
      name: 'no-tests-in-code',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^test/|\\.test\\.ts$' },
    },
    {
      name: 'no-dev-dependency-in-code',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
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
