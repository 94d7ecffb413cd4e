import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** With it nodes began to say what they have, and refills to have a node: what older versions know nothing of. */
const HEARTBEATS = 'src/pool/heartbeat.ts';

export interface Version extends AsyncDisposable {
  /** For people. */
  readonly title: string;
  readonly main: string;
}

/** What is checked out here, as it was built last. */
export const present: Omit<Version, keyof AsyncDisposable> = {
  title: 'this version',
  main: join(ROOT, 'dist', 'main.js'),
};

/** The last release; where there is none, the version before nodes had heartbeats. */
export async function earlierCommit(): Promise<string> {
  const tag = await git('describe', '--tags', '--abbrev=0', 'HEAD^').catch(() => '');
  if (tag !== '') return tag;
  const first = await git('log', '--diff-filter=A', '--format=%H', '-1', '--', HEARTBEATS);
  if (first === '') throw new Error(`No commit here brought ${HEARTBEATS}; say --from COMMIT`);
  return `${first}^`;
}

/** Built in a folder of its own, with the packages that are here if it wants the same. */
export async function buildVersion(commit: string): Promise<Version> {
  const folder = await mkdtemp(join(tmpdir(), 'tin-version-'));
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const archive = join(folder, 'sources.tar');
    const sources = join(folder, 'sources');
    await mkdir(sources);
    await git('archive', '--format=tar', `--output=${archive}`, commit);
    await run('tar', ['-xf', archive, '-C', sources]);
    const [wanted, here] = await Promise.all(
      [sources, ROOT].map((where) => readFile(join(where, 'package-lock.json'), 'utf8')),
    );
    if (wanted === here) await symlink(join(ROOT, 'node_modules'), join(sources, 'node_modules'));
    else await run('npm', ['ci'], { cwd: sources });
    await run('npm', ['run', 'build'], { cwd: sources });
    return {
      title: await git('log', '-1', '--format=%h of %as, "%s"', commit),
      main: join(sources, 'dist', 'main.js'),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function git(...args: string[]): Promise<string> {
  return (await run('git', args, { cwd: ROOT })).stdout.trim();
}
