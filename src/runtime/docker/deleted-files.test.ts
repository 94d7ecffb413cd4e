import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { deletedFileBytes } from './deleted-files.ts';

const MIB = 2 ** 20;
const never = new AbortController().signal;
/** `map` maps a page of a deleted file of 1 MiB, at an address or anywhere (0), and closes it. */
const MAP = `
  $| = 1;
  require '${join(import.meta.dirname, '../../../test/hostile/attacks/system-calls.pl')}';
  sub map_deleted {
    my ($address) = @_;
    open my $file, '+>', 'file' or die $!;
    syswrite $file, "\\0" x ${MIB};
    0 < call('mmap', $address, 4096, 1, $address ? 0x11 : 1, fileno $file, 0) or die "mmap: $!";
    unlink 'file';
  }
  sub held { print "held\\n"; <STDIN>; exit }
`;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tin-deleted-'));
  return () => rm(folder, { recursive: true });
});

/** What `use` finds while a program goes on that has said `held`. */
async function whileHeld<T>(program: string, use: (pid: number, device: number) => Promise<T>): Promise<T> {
  const holder = spawn('perl', ['-e', MAP + program], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(holder, 'close');
  try {
    const [said] = (await once(holder.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('held\n');
    return await use(Number(holder.pid), (await stat(folder)).dev);
  } finally {
    holder.kill('SIGKILL');
    await closed;
  }
}

it.each([
  ['anywhere', 'map_deleted(0); held()'],
  ['at an address with leading zeros', 'map_deleted(0x10000); held()'],
  [
    'in a process whose first thread has ended',
    `use threads; map_deleted(0);
     async { 1 until \`cat /proc/$$/statm\` =~ /^0 /; held() };
     call('exit', 0)`,
  ],
])('counts a deleted file that is mapped %s', async (_, program) => {
  expect(
    await whileHeld(program, (pid, device) => deletedFileBytes([pid], new Set([device]), never)),
  ).toBeGreaterThanOrEqual(MIB);
});

/** Pages that may be read and such that may not lie apart, so that each is a mapping. */
const CROWD = `
  for my $at (0 .. 15_000) {
    0 < call('mmap', 0, 4096, $at % 2, 0x22, -1, 0) or die "mmap: $!";
  }
  held()`;

it('takes more mappings than anybody can look through for a place to hide, and no fewer', async () => {
  await whileHeld(CROWD, async (pid, device) => {
    const look = (times: number): Promise<number> =>
      deletedFileBytes(
        Array.from({ length: times }, () => pid),
        new Set([device]),
        never,
      );
    expect(await look(1)).toBe(0);
    expect(await look(60)).toBe(Infinity);
  });
});
