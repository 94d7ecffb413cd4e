import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
/** As units have it: one folder can only be read, over another lies one that nobody may enter. */
const UNIT = `
  mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
  mount --bind -o ro "$0" "$2"
  shift 2; exec "$@"`;

let folder: string;
let readable: string;
let home: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-closed-'));
  readable = join(folder, 'share');
  home = join(folder, 'home');
  for (const path of [readable, home, join(folder, 'nothing')]) await mkdir(path, { mode: 0o700 });
  await chmod(join(folder, 'nothing'), 0);
  await writeFile(join(home, 'secret'), 'geheim');
  await writeFile(join(folder, 'archive'), 'an archive');
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** What is thrown to whoever runs this among such folders. */
async function toldOf(module: string, code: string): Promise<string> {
  const program =
    `import * as ours from ${JSON.stringify(resolve('src', module))};\n` +
    `try { ${code}; } catch (error) { console.log(error.message); }`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
  const places = [join(folder, 'nothing'), readable, home];
  const { stdout } = await run('unshare', ['--mount', 'sh', '-ec', UNIT, ...places, ...node]);
  return stdout.trim();
}

it.each([
  [
    'checkpoints/shared-folder.ts',
    (path: string, archive: string) =>
      `await ours.sharedFolder('${path}').put('${'a'.repeat(16)}', '${archive}', { onBytes() {} })`,
  ],
  ['checkpoints/folders.ts', (path: string) => `await new ours.Folders('${path}/checkpoints', {}).ready()`],
])('names the unit and the folder that it keeps from %s', async (module, code) => {
  const told = await toldOf(module, code(readable, join(folder, 'archive')));
  expect(told).toContain(`add ReadWritePaths=${readable}`);
  expect(told).toContain('systemctl edit try-it-now');
});

it.each([
  ['config/environment.ts', (path: string) => `ours.readTextFile('${path}')`],
  ['config/paths.ts', (path: string) => `throw { message: ours.readableFile('${path}').why }`],
])('says of a file that the unit hides from %s that it does', async (module, code) => {
  expect(await toldOf(module, code(join(home, 'secret')))).toContain(`${home} is closed to this process`);
});

it('says nothing of units where a file is just not there', async () => {
  expect(await toldOf('config/environment.ts', `ours.readTextFile('${join(folder, 'missing')}')`)).toMatch(
    /^ENOENT[^;]*$/,
  );
});

it('documents what a unit has to be given for each folder that settings name', async () => {
  const [, section = ''] =
    /\*\*Folders and files of yours\.\*\*([\s\S]*?)\n\n\*\*/.exec(await readFile('docs/deployment.md', 'utf8')) ?? [];
  for (const name of ['CHECKPOINT_DIR', 'CHECKPOINT_SHARE', 'ReadWritePaths=', 'REGISTRY_AUTH_FILE'])
    expect(section).toContain(name);
});
