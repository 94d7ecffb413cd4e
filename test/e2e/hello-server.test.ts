import { readFile, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, freePort } from '../../src/launcher/tcp-ports.ts';
import { boardFolder, startHelloApp, type HelloApp } from '../support/hello-app.ts';

const serverFile = fileURLToPath(new URL('../../examples/hello/server.js', import.meta.url));
const note = { text: 'hello', color: 'sun', x: 0.5, y: 0.5 };
const id = 'aaaaaaaa11111111';

describe('the notes board over HTTP', () => {
  let app: HelloApp;
  let folder: Awaited<ReturnType<typeof boardFolder>>;

  beforeAll(async () => {
    folder = await boardFolder();
    app = await startHelloApp({ dataDir: folder.path });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const json = (method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${app.url}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  it.each<[string, () => Promise<Response>, number, string]>([
    ['malformed JSON', () => json('PUT', `/api/notes/${id}`, '{"text":'), 400, 'bad_json'],
    [
      'bytes that are no UTF-8',
      () =>
        fetch(`${app.url}/api/notes/${id}`, {
          method: 'PUT',
          headers: { 'Content-Type': 'application/json' },
          body: Buffer.from([0x22, 0xff, 0x22]),
        }),
      400,
      'bad_json',
    ],
    ['no body', () => json('PUT', `/api/notes/${id}`, ''), 400, 'bad_json'],
    ['an array', () => json('PUT', `/api/notes/${id}`, []), 400, 'bad_body'],
    ['null', () => json('PUT', `/api/notes/${id}`, 'null'), 400, 'bad_body'],
    [
      'another content type',
      () => json('PUT', `/api/notes/${id}`, note, { 'Content-Type': 'text/plain' }),
      415,
      'not_json',
    ],
    [
      'too large a body',
      () => json('PUT', `/api/notes/${id}`, { ...note, text: 'x'.repeat(5000) }),
      413,
      'body_too_large',
    ],
    ['too long a text', () => json('PUT', `/api/notes/${id}`, { ...note, text: 'x'.repeat(241) }), 400, 'bad_text'],
    ['a text that is a number', () => json('PUT', `/api/notes/${id}`, { ...note, text: 7 }), 400, 'bad_text'],
    ['an unknown color', () => json('PUT', `/api/notes/${id}`, { ...note, color: 'url(//x)' }), 400, 'bad_color'],
    ['a place off the board', () => json('PUT', `/api/notes/${id}`, { ...note, x: 1.1 }), 400, 'bad_position'],
    ['a place that is text', () => json('PUT', `/api/notes/${id}`, { ...note, y: '0' }), 400, 'bad_position'],
    ['an unknown field', () => json('PUT', `/api/notes/${id}`, { ...note, layer: 99 }), 400, 'unknown_field'],
    ['a prototype as field', () => json('PUT', `/api/notes/${id}`, '{"__proto__":{}}'), 400, 'unknown_field'],
    ['a missing field', () => json('PUT', `/api/notes/${id}`, { text: 'hello' }), 400, 'missing_field'],
    ['a malformed id', () => json('PUT', '/api/notes/..%2f..%2fx', note), 400, 'bad_id'],
    ['a change of nothing', () => json('PATCH', '/api/notes/welcome0one', {}), 400, 'missing_field'],
    ['a note that is not there', () => json('PATCH', '/api/notes/nosuchnote', { x: 0 }), 404, 'no_such_note'],
    [
      'a note to delete that is not there',
      () => fetch(`${app.url}/api/notes/nosuchnote`, { method: 'DELETE' }),
      404,
      'no_such_note',
    ],
    [
      'a page of another site',
      () => json('PUT', `/api/notes/${id}`, note, { Origin: 'http://evil.example' }),
      403,
      'foreign_origin',
    ],
    ['a page without origin', () => json('PUT', `/api/notes/${id}`, note, { Origin: 'null' }), 403, 'foreign_origin'],
    ['an absurd search', () => fetch(`${app.url}/api/ideas?q=${'x'.repeat(101)}`), 400, 'bad_query'],
    ['an unknown address', () => fetch(`${app.url}/nothing`), 404, 'not_found'],
    ['a path out of the public files', () => fetch(`${app.url}/assets/..%2fserver.js`), 404, 'not_found'],
    ['a wrong method', () => json('POST', '/api/board', {}), 405, 'method_not_allowed'],
  ])('refuses %s and changes nothing', async (_, send, status, code) => {
    const before = await app.board();
    const response = await send();
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ status, code })]);
    expect(await app.board()).toEqual(before);
  });

  it('refuses a body that grows beyond the limit without saying so beforehand', async () => {
    const port = Number(new URL(app.url).port);
    const socket = connect(port, '127.0.0.1');
    try {
      socket.write(
        'PUT /api/notes/aaaaaaaa11111111 HTTP/1.1\r\nHost: x\r\nContent-Type: ' +
          'application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      socket.write(`1400\r\n${'x'.repeat(0x1400)}\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /);
    } finally {
      socket.destroy();
    }
  });

  it('holds a hundred notes and says why it takes no more', async () => {
    const made: string[] = [];
    for (let count = (await app.board()).notes.length; count < 100; count += 1) {
      const each = `fill${String(count).padStart(6, '0')}`;
      expect((await json('PUT', `/api/notes/${each}`, note)).status).toBe(201);
      made.push(each);
    }
    const refused = await json('PUT', '/api/notes/onetoomany', note);
    expect([refused.status, await refused.json()]).toEqual([409, expect.objectContaining({ code: 'board_full' })]);
    expect((await json('PUT', `/api/notes/${made[0] ?? ''}`, { ...note, text: 'replaced' })).status).toBe(200);
    for (const each of made)
      expect((await fetch(`${app.url}/api/notes/${each}`, { method: 'DELETE' })).status).toBe(204);
  });

  it('sends its pages so that nothing foreign can run in them', async () => {
    const page = await fetch(app.url);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    await json('PUT', `/api/notes/${id}`, { ...note, text: '</script><script>alert(1)</script>' });
    expect(await (await fetch(app.url)).text()).not.toContain('</script><script>');
    const asset = await fetch(`${app.url}/assets/app.js`);
    const again = await fetch(`${app.url}/assets/app.js`, {
      headers: { 'If-None-Match': asset.headers.get('etag') ?? '' },
    });
    expect([asset.status, again.status]).toEqual([200, 304]);
  });
});

describe('the notes board as a process', () => {
  it('has its board again after a restart', async () => {
    await using folder = await boardFolder();
    let name: string;
    {
      await using first = await startHelloApp({ dataDir: folder.path });
      ({ name } = await first.board());
      await fetch(`${first.url}/api/notes/${id}`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(note),
      });
    }
    await using second = await startHelloApp({ dataDir: folder.path });
    const board = await second.board();
    expect(board.name).toBe(name);
    expect(board.notes).toContainEqual(expect.objectContaining({ id, ...note }));
  });

  it.each(['{"name":"half', '[]', '{"name":"x","revision":1,"notes":[{"id":"aaaaaaaa","text":7}]}'])(
    'sets a broken board file aside: %s',
    async (content) => {
      await using folder = await boardFolder();
      await writeFile(join(folder.path, 'board.json'), content);
      await using app = await startHelloApp({ dataDir: folder.path });
      expect((await app.board()).notes).toHaveLength(3);
      expect((await readdir(folder.path)).sort()).toEqual(['board.json', 'board.json.broken']);
      expect(await readFile(join(folder.path, 'board.json.broken'), 'utf8')).toBe(content);
    },
  );

  it('works without a folder to write to', async () => {
    await using app = await startHelloApp({ dataDir: '/dev/null/board' });
    expect(
      (
        await fetch(`${app.url}/api/notes/${id}`, {
          method: 'PUT',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(note),
        })
      ).status,
    ).toBe(201);
    expect(app.server.tail()).toContain('the board is kept in memory only');
  });

  it('listens only when it is prepared, and leaves on SIGTERM at once even before', async () => {
    await using folder = await boardFolder();
    const port = await freePort();
    const server = spawn('node', [serverFile], {
      env: { ...process.env, PORT: String(port), DATA_DIR: folder.path },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(server.stdout, 'data')) as [Buffer];
      expect(line.toString()).toContain('"starting"');
      expect(await answers(port)).toBe(false);
      const exited = once(server, 'exit') as Promise<[number | null, string | null]>;
      let rest = '';
      server.stdout.on('data', (chunk: Buffer) => {
        rest += chunk.toString();
      });
      server.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      expect(rest).not.toContain('search index built');
    } finally {
      server.kill('SIGKILL');
    }
  });

  it('names a wrong PORT and does not start', async () => {
    const server = spawn('node', [serverFile], {
      env: { ...process.env, PORT: 'eighty' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [[code], [line]] = (await Promise.all([once(server, 'exit'), once(server.stdout, 'data')])) as [
      [number],
      [Buffer],
    ];
    expect(code).toBe(78);
    expect(line.toString()).toContain('PORT must be a whole number');
  });
});
