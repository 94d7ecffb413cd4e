import { connect } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDemos, challengeRequired } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { PageVisitor, handedOverTo } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';
import type { LeadForm } from '../domain/lead.ts';

const FORM: LeadForm = {
  ask: 'before',
  required: false,
  fields: [
    { name: 'email', required: true },
    { name: 'message', required: false },
  ],
  text: [
    { tag: 'en', text: 'You may write to me <at once>.' },
    { tag: 'de', text: 'Sie dürfen mir schreiben.' },
  ],
  privacyUrl: 'https://vendor.example/privacy?a=1&b=2',
};
const SENT = { lead: 'given', email: 'ann@example.org', consent: 'yes' };
const OWN = { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8080' };

let http: RunningServer;
let visitor: PageVisitor;
const open = async (form: Partial<LeadForm> = {}): Promise<void> => {
  const shop = template({
    name: 'shop',
    title: 'Shop',
    frame: 'auto',
    openAllow: ['/cart'],
    lead: { ...FORM, ...form },
  });
  http = await startHttp({ demos: new FakeDemos([shop]), funnelSites: ['docs.example.org'] });
  visitor = new PageVisitor(http.url);
};
afterEach(() => http[Symbol.asyncDispose]());
const told = () => [...http.demos.told.values()];
const click = (form: Record<string, string> = {}, query = '', from = visitor) =>
  from.send('POST', `/try/shop${query}`, { headers: OWN, form });
/** Nothing of it in a log line, an address or a cookie. */
const expectNoTrace = (): void => {
  expect(JSON.stringify(http.lines())).not.toMatch(/ann@|ann%40/);
  expect(visitor.setCookies.join()).not.toMatch(/ann@|ann%40/);
};

describe('a form before the visit', () => {
  beforeEach(() => open());

  it('comes between the click and the hand-over, once, and takes nothing', async () => {
    const answer = await click({ site: 'docs.example.org' }, '?open=%2Fcart');
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(http.demos.instances.size).toBe(0);
    expect(text).toContain('<form method="post" action="/try/shop?open=%2Fcart" class="lead">');
    expect(text).toContain('name="site" value="docs.example.org"');
    expect(text).toContain('<label for="lead-email">E-mail</label>');
    expect(text).toContain('Message (optional)');
    expect(text).toContain('You may write to me &lt;at once&gt;.');
    expect(text).toContain('href="https://vendor.example/privacy?a=1&amp;b=2"');
    expect(text).not.toContain('checked');

    const entered = await click(SENT, '?open=%2Fcart');
    expect([entered.status, entered.headers.get('location')]).toEqual([303, expect.stringMatching(/^\/visit\//)]);
    expect(told()).toEqual([{ email: 'ann@example.org' }]);
    expect(http.demos.keptLeads.size).toBe(0);
    // Who has one, and who had one, is not asked again.
    expect((await click()).status).toBe(303);
    for (const id of http.demos.instances.keys()) await http.demos.release(id);
    expect((await click()).status).toBe(303);
    expect(told()).toHaveLength(1);
    expectNoTrace();
  });

  it('says what is wrong beside it, keeps what was right, and hands nothing over', async () => {
    const answer = await click({ ...SENT, email: 'ann@', message: 'Hello "you"', consent: '' });
    expect(answer.status).toBe(422);
    const text = await answer.text();
    expect(text).toContain('role="alert"');
    expect(text).toMatch(/value="ann@" id="lead-email"[^>]* aria-invalid="true" aria-describedby="wrong-email"/);
    expect(text).toContain('id="wrong-consent"');
    expect(text).toContain('Hello &quot;you&quot;</textarea>');
    expect([http.demos.instances.size, http.demos.keptLeads.size]).toEqual([0, 0]);
    expectNoTrace();
  });

  it('can be passed over, unless the template insists', async () => {
    expect(await (await click()).text()).toContain('value="skipped"');
    expect((await click({ lead: 'skipped' })).status).toBe(303);
    expect(told()).toEqual([]);
    await http[Symbol.asyncDispose]();
    await open({ required: true });
    expect(await (await click()).text()).not.toContain('value="skipped"');
    expect((await click({ lead: 'skipped' })).status).toBe(200);
    expect(http.demos.instances.size).toBe(0);
  });

  it('is kept while its visitor waits, and told when they are served, with a script and without', async () => {
    await visitor.send('GET', '/');
    http.demos.ready.set('shop', 0);
    const waiting = await click(SENT);
    expect([waiting.status, waiting.headers.get('location')]).toEqual([303, '/wait/shop']);
    expect([...http.demos.keptLeads.values()]).toEqual([{ email: 'ann@example.org' }]);
    const bare = new PageVisitor(http.url);
    const elsewhere = await click(SENT, '', bare);
    expect(elsewhere.status).toBe(303);
    http.demos.ready.set('shop', 2);
    const scripted = await visitor.send('POST', '/try/shop', { headers: { ...OWN, accept: 'application/json' } });
    expect(await scripted.json()).toMatchObject({ state: 'ready' });
    await bare.send('GET', elsewhere.headers.get('location') ?? '');
    expect(told()).toHaveLength(2);
    expect(http.demos.keptLeads.size).toBe(0);
    expectNoTrace();
  });

  it('is forgotten with the place of who stops waiting, who is asked again then', async () => {
    http.demos.ready.set('shop', 0);
    await click(SENT);
    await visitor.send('POST', '/leave/shop', { headers: OWN });
    expect(http.demos.keptLeads.size).toBe(0);
    http.demos.ready.set('shop', 1);
    expect((await click()).status).toBe(200);
  });

  it('is forgotten when there is nothing to be had', async () => {
    http.demos.control = { ...http.demos.control, mode: 'paused' };
    expect((await click(SENT)).status).toBe(503);
    expect(http.demos.keptLeads.size).toBe(0);
    http.demos.control = { ...http.demos.control, mode: 'open' };
    expect((await click()).status).toBe(200);
  });

  it('has nothing written of who is to prove work first, and comes along with their solution', async () => {
    const acquireOrWait = http.demos.acquireOrWait.bind(http.demos);
    http.demos.acquireOrWait = () => Promise.reject(challengeRequired());
    const asked = await click({ ...SENT, message: 'Hello "you"', visitor: 'v'.repeat(22) });
    expect(asked.status).toBe(403);
    expect(http.demos.keptLeads.size).toBe(0);
    const fields = [...(await asked.text()).matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)].map(
      ([, name = '', value = '']): [string, string] => [name, value.replaceAll('&quot;', '"')],
    );
    http.demos.acquireOrWait = acquireOrWait;
    expect((await click({ ...Object.fromEntries(fields), altcha: 'solution' })).status).toBe(303);
    expect(told()).toEqual([{ email: 'ann@example.org', message: 'Hello "you"' }]);
    expect(http.demos.keptLeads.size).toBe(0);
  });

  it('has nothing left behind of who hangs up', async () => {
    const { keep } = http.demos.leads;
    const body = new URLSearchParams(SENT).toString();
    const client = connect(http.port, '127.0.0.1');
    const connections = promisify(http.server.app.server.getConnections.bind(http.server.app.server));
    Object.assign(http.demos.leads, {
      keep: async (...kept: Parameters<typeof keep>) => {
        await keep(...kept);
        client.destroy();
        await expect.poll(connections).toBe(0);
      },
    });
    client.write(
      `POST /try/shop HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\nsec-fetch-site: same-origin\r\n` +
        `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => [told().length, http.demos.keptLeads.size]).toEqual([1, 0]);
  });

  it('is not for programs, nor for pages of other sites', async () => {
    const acquired = await fetch(`${http.url}/api/v1/demo/acquire`, { method: 'POST' });
    expect(acquired.status).toBe(201);
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
    expect((await visitor.send('POST', '/try/shop', { headers: foreign, form: SENT })).status).toBe(403);
    expect(told()).toEqual([]);
  });

  it('takes no more than it asks for', async () => {
    const large = await click({ ...SENT, message: 'x'.repeat(20_000) });
    expect(large.status).toBe(413);
    await click({ ...SENT, password: 'hunter2' });
    expect(told()).toEqual([{ email: 'ann@example.org' }]);
  });

  it('speaks the language of its visitor', async () => {
    const headers = { ...OWN, 'accept-language': 'de' };
    const text = await (await visitor.send('POST', '/try/shop', { headers })).text();
    expect(text).toContain('Sie dürfen mir schreiben.');
    expect(text).toContain('Ohne Angaben weiter');
  });
});

describe('a form during the visit', () => {
  let form: string;
  beforeEach(async () => {
    await open({ ask: 'during' });
    form = `${(await click()).headers.get('location') ?? ''}/lead`;
  });
  const send = (sent: Record<string, string>, from = visitor) => from.send('POST', form, { headers: OWN, form: sent });

  it('is reached from the bar, and told once, during the visit and after its end', async () => {
    const visit = await (await visitor.send('GET', form.replace(/\/lead$/, ''))).text();
    expect(visit).toContain(`href="${form}"`);
    const page = await (await visitor.send('GET', form)).text();
    expect(page).toContain(`<form method="post" action="${form}" class="lead">`);
    expect((await send({ ...SENT, email: '' })).status).toBe(422);
    for (const id of http.demos.instances.keys()) await http.demos.release(id);
    expect(await (await send(SENT)).text()).toContain('Thank you');
    expect((await send({ ...SENT, email: 'bob@example.org' })).status).toBe(200);
    expect(told()).toEqual([{ email: 'ann@example.org' }]);
    expectNoTrace();
  });

  it("is no other visitor's, and no other page's", async () => {
    const thief = new PageVisitor(http.url);
    await thief.send('GET', '/');
    expect((await thief.send('GET', form)).status).toBe(404);
    expect((await send(SENT, thief)).status).toBe(404);
    const foreign = { 'sec-fetch-site': 'same-site', origin: 'http://other.localhost' };
    expect((await visitor.send('POST', form, { headers: foreign, form: SENT })).status).toBe(403);
    expect(told()).toEqual([]);
  });
});

it('asks nobody where a template does not', async () => {
  http = await startHttp({ demos: new FakeDemos([template({ name: 'shop', frame: 'auto' })]) });
  visitor = new PageVisitor(http.url);
  const location = (await click()).headers.get('location') ?? '';
  expect((await visitor.send('GET', `${location}/lead`)).status).toBe(404);
  expect(await handedOverTo(await new PageVisitor(http.url).send('GET', location))).toBe(`${location}/open`);
});
