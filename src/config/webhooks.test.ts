import { describe, expect, it } from 'vitest';
import { VISIT_EVENT_TYPES } from '../domain/visit-event.ts';
import { parseWebhooks } from './webhooks.ts';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;
const files: Readonly<Record<string, string>> = {
  '/etc/tin/crm.secret': `${SECRET}\n${OTHER}\n`,
  '/etc/tin/empty': '\n',
};

function parse(text: string, env: Record<string, string> = { CRM: SECRET }) {
  return parseWebhooks(text, '/etc/tin/webhooks.yaml', env, (path) => {
    const found = files[path];
    if (found === undefined) throw new Error('ENOENT');
    return found;
  });
}

const webhook = (rest: string): string =>
  `webhooks:\n  - {name: crm, url: 'https://crm.example/hook?team=1', ${rest}}\n`;

describe('The file of webhooks', () => {
  it('says who is told, with keys from elsewhere', () => {
    const { webhooks, problems } = parse(
      webhook('secret: {file: crm.secret}, events: [ended, lead_given], timeout: 2s, retry_for: 1h'),
    );
    expect(problems).toEqual([]);
    expect(webhooks).toEqual([
      {
        name: 'crm',
        url: 'https://crm.example/hook?team=1',
        secrets: [SECRET, OTHER],
        events: ['ended', 'lead_given'],
        timeoutMs: 2_000,
        retryForMs: 3_600_000,
      },
    ]);
  });

  it('tells of everything, for three days, where it does not say otherwise', () => {
    expect(parse(webhook('secret: {env: CRM}')).webhooks).toMatchObject([
      { events: VISIT_EVENT_TYPES, timeoutMs: 10_000, retryForMs: 259_200_000, secrets: [SECRET] },
    ]);
  });

  it.each(['http://localhost:9000/', 'http://127.0.0.1:9000/', 'http://[::1]:9000/'])(
    'may name %s without TLS',
    (url) => {
      expect(parse(`webhooks: [{name: a, url: '${url}', secret: {env: CRM}}]`).problems).toEqual([]);
    },
  );

  it('may name another host without TLS where it says so', () => {
    const text = `webhooks: [{name: a, url: 'http://crm.lan/', allow_http: true, secret: {env: CRM}}]`;
    expect(parse(text).problems).toEqual([]);
  });

  it.each([
    ['webhooks: []', 'at least one webhook'],
    [`webhooks: [{name: a, url: 'http://crm.lan/', secret: {env: CRM}}]`, 'say allow_http: true'],
    [`webhooks: [{name: a, url: 'ftp://crm.lan/', secret: {env: CRM}}]`, 'it must be a URL that starts with https://'],
    [`webhooks: [{name: a, url: 'https://me:pw@crm.lan/', secret: {env: CRM}}]`, 'must not carry a user name'],
    [webhook(`secret: ${SECRET}`), 'must not stand in this file'],
    [webhook('events: [ended]'), 'webhooks[0].secret is missing'],
    [webhook('secret: {env: CRM, file: x}'), 'must name either a file or a variable'],
    [webhook('secret: {env: NOBODY}'), 'the variable NOBODY, which is empty or not set'],
    [webhook('secret: {file: empty}'), 'which is empty or not set'],
    [webhook('secret: {file: gone}'), 'cannot be read (ENOENT)'],
    [webhook('secret: {env: SHORT}'), 'has a key (not shown) that is wrong'],
    [webhook('secret: {env: CRM}, events: [endet]'), 'it must be one of'],
    [webhook('secret: {env: CRM}, events: []'), 'is an empty list'],
    [webhook('secret: {env: CRM}, retries: 3'), 'is not known'],
    [`${webhook('secret: {env: CRM}')}  - {name: crm, url: 'https://b.example', secret: {env: CRM}}`, 'is taken'],
    ['webhooks: [', 'not YAML as it should be'],
  ])('%s is refused by name', (text, message) => {
    const { problems } = parse(text, { CRM: SECRET, SHORT: 'whsec_c2hvcnQ=' });
    expect(problems.join('\n')).toContain(message);
    expect(problems.every((problem) => problem.startsWith('/etc/tin/webhooks.yaml:'))).toBe(true);
    expect(problems.join('\n')).not.toContain('c2hvcnQ');
    expect(problems.join('\n')).not.toContain(SECRET);
  });
});
