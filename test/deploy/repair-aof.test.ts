import { execFile } from 'node:child_process';
import { appendFile, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis as Valkey } from 'iovalkey';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { silent } from '../support/store.ts';

const REPAIR = fileURLToPath(new URL('../../deploy/valkey/repair-aof.sh', import.meta.url));
const run = promisify(execFile);

let releasers: Releasers;
let dir: string;
beforeEach(async () => {
  releasers = new Releasers();
  dir = await temporaryFolder(releasers);
});
afterEach(() => releasers.releaseAll(silent));

/** What `work` comes to on a Valkey that keeps its log in `dir`. */
async function onValkey<T>(work: (valkey: Valkey) => Promise<T>): Promise<T> {
  const launched = await launchValkey({ dir, persistent: true });
  const valkey = new Valkey(Number(launched.address.split(':')[1]), '127.0.0.1');
  try {
    return await work(valkey);
  } finally {
    valkey.disconnect();
    await launched.server.stop();
  }
}

const repair = async (): Promise<string> => (await run(REPAIR, [dir])).stdout;
const lastFile = (): string => join(dir, 'appendonlydir', 'appendonly.aof.1.incr.aof');
const copies = async (): Promise<string[]> =>
  (await readdir(dir)).filter((name) => name.startsWith('appendonlydir.before-repair-'));

describe("the log of a Valkey whose host lost its power, before Valkey's start", () => {
  it.each([
    ['zeros', Buffer.alloc(4_096)],
    [
      'the beginning of an entry, and zeros',
      Buffer.concat([Buffer.from('*3\r\n$3\r\nSET\r\n$2\r\nk'), Buffer.alloc(512)]),
    ],
    [
      'the beginning of a transaction, and zeros',
      Buffer.concat([Buffer.from('*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4'), Buffer.alloc(4_096)]),
    ],
  ])('that ends with %s is cut there, and a copy is kept', async (_, end) => {
    await onValkey((valkey) => valkey.set('kept', 'yes'));
    const whole = await readFile(lastFile());
    await appendFile(lastFile(), end);
    await expect(launchValkey({ dir, persistent: true })).rejects.toMatchObject({ code: 'child_failed' });
    expect(await repair()).toContain(`Cut ${end.length} bytes`);
    expect(await readFile(lastFile())).toEqual(whole);
    expect(await onValkey((valkey) => valkey.get('kept'))).toBe('yes');
    const [copy = ''] = await copies();
    expect(await readFile(join(dir, copy, 'appendonly.aof.1.incr.aof'))).toEqual(Buffer.concat([whole, end]));
  });

  it('that is damaged in its middle is left as it is', async () => {
    await onValkey(async (valkey) => {
      for (let at = 0; at < 20; at += 1) await valkey.set(`key${at}`, 'x'.repeat(50));
    });
    const file = await open(lastFile(), 'r+');
    await file.write(Buffer.alloc(30), 0, 30, 400);
    await file.close();
    await appendFile(lastFile(), Buffer.alloc(100));
    const damaged = await readFile(lastFile());
    expect(await repair()).toBe('');
    expect(await readFile(lastFile())).toEqual(damaged);
    expect(await copies()).toEqual([]);
  });

  it('that is whole, or not there yet, is left as it is', async () => {
    expect(await repair()).toBe('');
    await onValkey((valkey) => valkey.set('kept', 'yes'));
    expect(await repair()).toBe('');
    expect(await copies()).toEqual([]);
  });
});
