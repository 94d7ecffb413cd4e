import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of the test's own in `dir`. */
export class Authority {
  readonly #dir: string;
  readonly caFile: string;
  #count = 0;

  private constructor(dir: string) {
    this.#dir = dir;
    this.caFile = join(dir, 'ca.pem');
  }

  static async create(dir: string): Promise<Authority> {
    const authority = new Authority(dir);
    await openssl([
      ...['req', '-x509', ...NEW_KEY, '-subj', '/CN=an authority of a test', '-days', '2'],
      ...['-keyout', join(dir, 'ca.key'), '-out', authority.caFile],
    ]);
    return authority;
  }

  async ca(): Promise<string> {
    return readFile(this.caFile, 'utf8');
  }

  /** `names` as subjectAltName has them; `days` below 0: over already. */
  async certify(names: string, days = 2): Promise<Certificate> {
    this.#count += 1;
    const at = (ending: string): string => join(this.#dir, `cert-${this.#count}.${ending}`);
    await openssl(['req', ...NEW_KEY, '-subj', '/CN=test', '-keyout', at('key'), '-out', at('csr')]);
    await writeFile(at('ext'), `subjectAltName=${names}\n`);
    await openssl([
      ...['x509', '-req', '-in', at('csr'), '-CA', this.caFile, '-CAkey', join(this.#dir, 'ca.key')],
      ...['-CAcreateserial', '-days', String(days), '-extfile', at('ext'), '-out', at('pem')],
    ]);
    const [cert, key] = [await readFile(at('pem'), 'utf8'), await readFile(at('key'), 'utf8')];
    return { certFile: at('pem'), keyFile: at('key'), cert, key };
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

async function openssl(args: readonly string[]): Promise<void> {
  await run('openssl', [...args]);
}
