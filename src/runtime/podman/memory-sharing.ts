import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { findProgram } from '../../launcher/child-server.ts';
import { PAGE_MERGING } from '../page-merging/folder.ts';

const run = promisify(execFile);

/** PR_SET_MEMORY_MERGE and PR_GET_MEMORY_MERGE of prctl(2), since Linux 6.4. */
const [SET, GET] = [67, 68];
/** Of prctl itself, in asm/unistd.h of each. */
const PRCTL: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 157, arm64: 167 };

/**
 * A command that runs another one whose memory, and that of all it starts, the kernel may merge: Node has no way to
 * call prctl, and Debian's every installation has Perl.
 */
export function sharing(command: string, args: readonly string[]): { command: string; args: readonly string[] } {
  const ask = `syscall(${PRCTL[process.arch] ?? 0}, ${SET}, 1, 0, 0, 0) == 0 or die "prctl: $!\\n"`;
  const script = `${ask}; exec @ARGV or die "$!\\n"`;
  return { command: 'perl', args: ['-e', script, '--', command, ...args] };
}

/** Why no container's memory can be shared on this host; undefined where it can. */
export async function whyNotShared(): Promise<string | undefined> {
  const number = PRCTL[process.arch];
  if (number === undefined) return `it is not known how to ask for it on ${process.arch}`;
  const perl = findProgram('perl');
  if (perl === undefined) return 'the program perl is not installed';
  const hasScanner = await access(PAGE_MERGING).then(
    () => true,
    () => false,
  );
  if (!hasScanner) return `the kernel merges no pages: it has no ${PAGE_MERGING} (CONFIG_KSM)`;
  const asked = await run(perl, ['-e', `print syscall(${number}, ${GET}, 0, 0, 0, 0)`]).catch(() => undefined);
  return asked?.stdout === '0' || asked?.stdout === '1' ? undefined : 'the kernel is older than 6.4';
}
