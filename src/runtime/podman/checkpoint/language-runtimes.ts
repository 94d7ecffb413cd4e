import { open, readFile } from 'node:fs/promises';
import type { OwnGenerators } from '../../../pool/interfaces/checkpointing.ts';
import { processesWith, type ContainerProcess } from './container-processes.ts';
import { refreshesNode } from './fresh-random/fresh-random.ts';
import { mappedFiles, type MappedFile } from './fresh-random/mapped-files.ts';

interface Runtime {
  readonly language: string;
  /** What draws from the memory of the process, and so the same in all clones; docs/criu-checkpoint.md has the rest. */
  readonly generators: string;
  readonly program: RegExp;
  /** Of a program that has the language in itself. */
  readonly library?: RegExp;
}

const RUNTIMES: readonly Runtime[] = [
  {
    language: 'Python',
    generators: 'the module random, and names of temporary files',
    program: /^(?:python|pypy)[\d.]*$/,
    library: /^libpython[\d.]+\.so/,
  },
  {
    language: 'Ruby',
    generators: 'rand, Random, shuffle and sample',
    program: /^ruby[\d.]*$/,
    library: /^libruby[-\d.]*\.so/,
  },
  {
    language: 'PHP',
    generators: 'mt_rand, rand, shuffle, str_shuffle and lcg_value, in what goes on after the request',
    program: /^php(?:-fpm|-cgi)?[\d.]*$/,
    library: /^(?:libphp|mod_php)[\d.]*\.so/,
  },
  {
    language: 'Java',
    generators: 'Math.random, Random, ThreadLocalRandom, SplittableRandom, and SecureRandom by SHA1PRNG or DRBG',
    program: /^java$/,
    library: /^libjvm\.so/,
  },
  { language: '.NET', generators: 'Random', program: /^dotnet$/, library: /^libcoreclr\.so/ },
  { language: 'Perl', generators: 'rand', program: /^perl[\d.]*$/, library: /^libperl\.so/ },
  { language: 'Erlang', generators: 'rand', program: /^beam(?:\.smp)?$/ },
  {
    language: 'Lua',
    generators: 'math.random',
    program: /^lua(?:jit)?[-\d.]*$/,
    library: /^lib(?:lua|luajit)[-\d.]*\.so/,
  },
  { language: 'Deno', generators: 'Math.random and crypto', program: /^deno$/ },
  { language: 'Bun', generators: 'Math.random and crypto', program: /^bun$/ },
];
const NODE: Runtime = { language: 'Node', generators: 'Math.random and crypto', program: /^node(?:js)?$/ };
const GO = { language: 'Go', generators: 'math/rand' };
/** Go's linker writes a note into the beginning of each program: 4 for its kind, then its name. */
const GO_NOTE = Buffer.from('\x04\0\0\0Go\0\0');
const BEGINNING = 8192;
/** PHP's own server makes its generators new for each request; with it, nothing is kept. */
const PHP_SERVER = /^-S/;

/** Of the container that this process is of: each once, with what cannot be made fresh in it from outside. */
export async function ownGenerators(pid: number): Promise<readonly OwnGenerators[]> {
  const found = (await Promise.all((await processesWith(pid)).map(generatorsOf))).flat();
  return found.filter(({ language }, index) => index === found.findIndex((each) => each.language === language));
}

export async function generatorsOf(process: ContainerProcess): Promise<readonly OwnGenerators[]> {
  const files = await mappedFiles(process.pid);
  const words = (await readFile(`/proc/${process.pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  const of = ({ language, generators }: Pick<Runtime, 'language' | 'generators'>): OwnGenerators => ({
    language,
    generators,
    process: process.name,
  });
  const runtimes = runtimesIn(files, words).map(of);
  const [program] = files;
  if (program === undefined) return runtimes;
  if (files.some(isNode) && !(await refreshesNode(process.pid))) runtimes.push(of(NODE));
  if (runtimes.length === 0 && (await isGo(program))) runtimes.push(of(GO));
  return runtimes;
}

/** By the names of what a process has in its memory, the program first, and by the words of its command. */
export function runtimesIn(
  [program, ...libraries]: readonly Pick<MappedFile, 'name'>[],
  words: readonly string[],
): readonly Runtime[] {
  if (program === undefined) return [];
  return RUNTIMES.filter((runtime) => {
    if (runtime.language === 'PHP' && words.some((word) => PHP_SERVER.test(word))) return false;
    return (
      runtime.program.test(program.name) ||
      libraries.some(({ name }) => runtime.library !== undefined && runtime.library.test(name))
    );
  });
}

function isNode({ name }: MappedFile, index: number): boolean {
  return index === 0 ? NODE.program.test(name) : /^libnode\b.*\.so/.test(name);
}

async function isGo({ link }: MappedFile): Promise<boolean> {
  try {
    await using file = await open(link, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BEGINNING), 0, BEGINNING, 0);
    return buffer.subarray(0, bytesRead).includes(GO_NOTE);
  } catch {
    // It ended meanwhile.
    return false;
  }
}
