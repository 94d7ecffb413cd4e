import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OIDC_CLIENT, TestOidcProvider, followTo, type Person } from '../../test/support/oidc-provider.ts';
import { OidcProvider, type OidcSettings } from './oidc-provider.ts';

const CALLBACK = 'https://ops.example.org/login/oidc/callback';
const LOGGED_OUT = 'https://ops.example.org/login';
const JO: Person = { sub: '4711', email: 'Jo@Example.org', email_verified: true, groups: ['ops', 'all'] };
const ATTEMPT = { state: 'state-of-this', nonce: 'nonce-of-this', verifier: 'verifier-of-this-'.repeat(3) };

let provider: TestOidcProvider;
beforeAll(async () => {
  provider = await TestOidcProvider.at(CALLBACK, LOGGED_OUT);
  await provider.start();
});
afterAll(() => provider.stop());

const ours = (changed: Partial<OidcSettings> = {}): OidcProvider =>
  new OidcProvider({
    issuer: provider.issuer,
    clientId: OIDC_CLIENT.id,
    clientSecret: OIDC_CLIENT.secret,
    scope: 'openid email groups',
    claim: 'groups',
    callbackUrl: CALLBACK,
    loggedOutUrl: LOGGED_OUT,
    ...changed,
  });

/** Somebody goes there and comes back; `change` is what they do to the address on the way. */
async function logIn(client: OidcProvider, person: Person | null = JO, change: (url: URL) => void = () => undefined) {
  provider.person = person;
  const there = await client.begin(ATTEMPT);
  change(there);
  const { searchParams } = await followTo(CALLBACK, there.href);
  return client.finish(ATTEMPT, searchParams);
}

describe('somebody who logs in', () => {
  it('is known by their verified address, and by the values of their claim', async () => {
    expect(await logIn(ours())).toEqual({
      who: `oidc:jo@example.org at ${new URL(provider.issuer).host}`,
      values: ['ops', 'all'],
    });
  });

  it('is known by their subject where nobody has seen that the address is theirs', async () => {
    const person = { ...JO, email_verified: false };
    expect(await logIn(ours(), person)).toMatchObject({ who: `oidc:4711 at ${new URL(provider.issuer).host}` });
    expect(await logIn(ours({ claim: 'email' }), person)).toMatchObject({ values: [] });
    expect(await logIn(ours({ claim: 'email' }))).toMatchObject({ values: ['jo@example.org', '@example.org'] });
  });

  it('gets in without a secret where the provider takes that', async () => {
    expect(await logIn(ours({ clientId: OIDC_CLIENT.publicId, clientSecret: undefined }))).toMatchObject({
      values: ['ops', 'all'],
    });
  });

  it('gets in while the clocks differ by less than a minute, and not beyond', async () => {
    provider.agedS = 30;
    try {
      expect(await logIn(ours())).toMatchObject({ values: ['ops', 'all'] });
      provider.agedS = 90;
      await expect(logIn(ours())).rejects.toMatchObject({
        code: 'login_refused',
        message: expect.stringContaining("compare this host's clock") as string,
      });
    } finally {
      provider.agedS = 0;
    }
  });
});

describe('refused is', () => {
  const refused = (message: string) => ({ code: 'login_refused', message: expect.stringContaining(message) as string });

  it('who does not want to, in the words of the provider', async () => {
    await expect(logIn(ours(), null)).rejects.toMatchObject(
      refused('did not log you in: access_denied (They changed their mind)'),
    );
  });

  it.each([
    ['state', 'another', 'unexpected "state" response parameter value'],
    ['nonce', 'another', 'unexpected ID Token "nonce" claim value'],
    ['code_challenge', 'x'.repeat(43), 'invalid_grant'],
  ])('an answer to another %s', async (name, value, message) => {
    await expect(logIn(ours(), JO, (url) => url.searchParams.set(name, value))).rejects.toMatchObject(refused(message));
  });

  it('a code that was used before', async () => {
    provider.person = JO;
    const client = ours();
    const { searchParams } = await followTo(CALLBACK, (await client.begin(ATTEMPT)).href);
    await client.finish(ATTEMPT, searchParams);
    await expect(client.finish(ATTEMPT, searchParams)).rejects.toMatchObject(refused('invalid_grant'));
  });

  it('everybody while our own secret is wrong, which is said', async () => {
    await expect(logIn(ours({ clientSecret: 'another' }))).rejects.toMatchObject(
      refused('OIDC_CLIENT_SECRET is wrong'),
    );
  });
});

describe('a provider', () => {
  it('is told where browsers come back to, and where they end their log-in', async () => {
    const there = await ours().begin(ATTEMPT);
    expect(Object.fromEntries(there.searchParams)).toMatchObject({
      redirect_uri: CALLBACK,
      response_type: 'code',
      code_challenge_method: 'S256',
      state: ATTEMPT.state,
      nonce: ATTEMPT.nonce,
    });
    expect(there.href).not.toContain(ATTEMPT.verifier);
    const out = await ours().logoutUrl();
    expect(out?.searchParams.get('post_logout_redirect_uri')).toBe(LOGGED_OUT);
    expect((await fetch(out ?? '')).status).toBe(200);
  });

  it('that is gone is said to be, and asked again the next time', async () => {
    const client = ours();
    await provider.stop();
    const gone = { code: 'login_provider_unavailable', message: expect.stringContaining(provider.issuer) as string };
    await expect(client.begin(ATTEMPT)).rejects.toMatchObject(gone);
    await provider.start();
    await client.begin(ATTEMPT);
    await provider.stop();
    const answer = new URLSearchParams({ code: 'x', state: ATTEMPT.state, iss: provider.issuer });
    await expect(client.finish(ATTEMPT, answer)).rejects.toMatchObject(gone);
    await provider.start();
  });

  it('is none where no document of it is', async () => {
    await expect(ours({ issuer: `${provider.issuer}/realms/none` }).begin(ATTEMPT)).rejects.toMatchObject({
      code: 'login_provider_unavailable',
      message: expect.stringContaining('(404)') as string,
    });
  });
});
