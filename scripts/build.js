// Bundles src/ with the packages it uses to dist/, and copies what a bundler does not: Lua scripts, page
// assets, licences. One file loads in a third of the time that two thousand modules take, at each start of a
// server and of each command.
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build, transformSync } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

/**
 * What a module finds by its own place is found from that place in dist/, wherever the bundle puts the module itself.
 */
const placesAsInSource = {
  name: 'places-as-in-source',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.url')) return undefined;
      const place = JSON.stringify(relative(join(ROOT, 'src'), path));
      return {
        loader: 'ts',
        contents: source.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`),
      };
    });
  },
};

/** Docker's client over SSH and its builder over gRPC: nothing here calls them, and every start would load them. */
const withoutWhatIsNeverCalled = {
  name: 'without-what-is-never-called',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(ssh2|@grpc\/.*)$/ }, ({ path }) => ({ path, namespace: 'never-called' }));
    onLoad({ filter: /.*/, namespace: 'never-called' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Licences ask to be handed on with the code they are for. */
function licences(inputs) {
  const folders = new Set(inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(ROOT, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? '' : `\n\n${readFileSync(join(ROOT, folder, file), 'utf8').trim()}`;
    return `${name} ${version} (${license})${text}\n`;
  });
}

/** The same for the same sources, wherever they are built: by it hosts of a fleet with others are told apart. */
function buildId() {
  const files = readdirSync(DIST, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
    .map(({ parentPath, name }) => join(parentPath, name));
  const hash = createHash('sha256');
  for (const file of files.sort())
    hash
      .update(`${relative(DIST, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex').slice(0, 8);
}

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Beside main.js, as what they find by their place is found from dist/ itself.
  chunkNames: '[name]-[hash]',
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
  plugins: [placesAsInSource, withoutWhatIsNeverCalled],
  // What a CommonJS package expects to be there.
  banner: {
    js: [
      "import { createRequire } from 'node:module';",
      'const require = createRequire(import.meta.url), __dirname = import.meta.dirname, __filename = ' +
        'import.meta.filename;',
    ].join('\n'),
  },
});
cpSync(join(ROOT, 'src'), DIST, { recursive: true, filter: (path) => !path.endsWith('.ts') });
// Other people's pages load it.
const component = join(DIST, 'web/assets/embed.js');
writeFileSync(component, transformSync(readFileSync(component, 'utf8'), { minify: true, target: 'es2022' }).code);
writeFileSync(
  join(DIST, 'third-party-licenses.txt'),
  licences(Object.keys(metafile.inputs)).join(`\n${'-'.repeat(78)}\n\n`),
);
chmodSync(join(DIST, 'main.js'), 0o755);
writeFileSync(join(DIST, 'build-id'), buildId());
