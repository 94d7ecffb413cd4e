import { describe, expect, it } from 'vitest';
import { decodeToken, encodeToken, isWholeToken, type JoinToken } from './join-token.ts';

const NOW_MS = Date.UTC(2026, 10, 28, 12);
const HERE = { program: '1.2.3', nowMs: NOW_MS };
const CONTENT: JoinToken = {
  v: 1,
  program: '1.2.3',
  expiresAtMs: NOW_MS + 1,
  settings: { VALKEY_URL: 'valkeys://10.0.0.1:6379', BASE_DOMAIN: 'demo.example.org' },
  secrets: { VALKEY_PASSWORD: 'geheim' },
  files: { TEMPLATES_FILE: 'templates:\n  - { name: "ünïcode" }\n'.repeat(200) },
};
const TOKEN = encodeToken(CONTENT);
const LINES = TOKEN.split('\n');

describe('a join token', () => {
  it('is read as it was made, whatever came with it on the way', () => {
    expect(decodeToken(TOKEN, HERE)).toEqual(CONTENT);
    const pasted = `root@first:~# cat token\r\n${LINES.map((line) => `  ${line}\r`).join('\n')}\nroot@first:~# `;
    expect(decodeToken(pasted, HERE)).toEqual(CONTENT);
  });

  it('shows no secret, in lines that fit a terminal', () => {
    expect(TOKEN).not.toContain('geheim');
    for (const line of LINES) expect(line.length).toBeLessThan(80);
  });

  it('is refused without any of its lines', () => {
    for (const index of LINES.keys()) {
      if (LINES[index] === '') continue;
      const cut = LINES.filter((_, at) => at !== index).join('\n');
      expect(() => decodeToken(cut, HERE), `without line ${index}`).toThrow(
        index === 0 ? /^That is no join token/ : /cut off|not as it was made/,
      );
    }
  });

  it('is refused when it was changed', () => {
    for (let at = TOKEN.indexOf('\n') + 1; at < TOKEN.lastIndexOf('\n-----END') - 4; at += 7) {
      const other = TOKEN[at] === 'A' ? 'B' : 'A';
      expect(() => decodeToken(`${TOKEN.slice(0, at)}${other}${TOKEN.slice(at + 1)}`, HERE), `at ${at}`).toThrow(
        /not as it was made/,
      );
    }
  });

  it('is refused from its last moment on', () => {
    expect(() => decodeToken(TOKEN, { ...HERE, nowMs: NOW_MS + 1 })).toThrow(
      'The join token was good until 2026-11-28T12:00:00.001Z; make another one on the first host. Nothing was',
    );
  });

  it('is taken by another build of the same version', () => {
    const token = encodeToken({ ...CONTENT, program: '1.2.3+0a1b2c3d' });
    expect(decodeToken(token, { ...HERE, program: '1.2.3+4e5f6a7b' }).settings).toEqual(CONTENT.settings);
  });

  it('is refused by another version of the program, also of a kind that is not known', () => {
    expect(() => decodeToken(TOKEN, { ...HERE, program: '1.3.0' })).toThrow(
      /is of Try It Now 1\.2\.3, and this is 1\.3\.0/,
    );
    const newer = encodeToken({ ...CONTENT, v: 2, program: '2.0.0' } as unknown as JoinToken);
    expect(() => decodeToken(newer, HERE)).toThrow(/was made by Try It Now 2\.0\.0, which this one \(1\.2\.3\)/);
  });

  it('is whole with its last line', () => {
    expect(isWholeToken(TOKEN)).toBe(true);
    expect(isWholeToken(TOKEN.slice(0, -20))).toBe(false);
  });
});
