import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import Provider from 'oidc-provider';
import { freePort } from '../../src/launcher/tcp-ports.ts';

export const OIDC_CLIENT = { id: 'try-it-now', secret: 'what-the-provider-gave', publicId: 'without-a-secret' };

const TTL = { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600 };
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const SIGNING_KEY = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };

/** What the provider says of somebody. */
export type Person = Readonly<Record<string, unknown>> & { readonly sub: string };

/** A real provider of OpenID Connect on a free port, at which whoever is at the keyboard has typed everything. */
export class TestOidcProvider implements AsyncDisposable {
  /** Who is at the keyboard from now on; null: somebody who refuses. */
  person: Person | null = null;
  /** How old ID tokens are when they come, as if the two clocks differed. */
  agedS = 0;
  readonly issuer: string;
  readonly #port: number;
  readonly #back: { readonly callback: string; readonly loggedOut: string };
  #server: Server | undefined;

  private constructor(port: number, back: { callback: string; loggedOut: string }) {
    this.#port = port;
    this.#back = back;
    this.issuer = `http://127.0.0.1:${port}`;
  }

  /** Nothing listens before `start`. */
  static async at(callback: string, loggedOut: string): Promise<TestOidcProvider> {
    return new TestOidcProvider(await freePort(), { callback, loggedOut });
  }

  async start(): Promise<void> {
    const provider = this.#provider();
    const answer = provider.callback();
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/interaction/') === true) void this.#interact(provider, request, response);
      else void answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #provider(): Provider {
    const { callback, loggedOut } = this.#back;
    const client = { redirect_uris: [callback], post_logout_redirect_uris: [loggedOut] };
    const people = new Map<string, Person>();
    const provider: Provider = new Provider(this.issuer, {
      clients: [
        { ...client, client_id: OIDC_CLIENT.id, client_secret: OIDC_CLIENT.secret },
        { ...client, client_id: OIDC_CLIENT.publicId, token_endpoint_auth_method: 'none' },
      ],
      cookies: { keys: ['of-this-test'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => true },
      ttl: { ...TTL, IdToken: () => (this.agedS === 0 ? 3_600 : -this.agedS) },
      jwks: { keys: [SIGNING_KEY] },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      findAccount: (_context, sub) => {
        if (this.person?.sub === sub) people.set(sub, this.person);
        return { accountId: sub, claims: () => ({ ...people.get(sub), sub }) };
      },
      loadExistingGrant: async ({ oidc }) => {
        const grant = new provider.Grant({
          clientId: oidc.client?.clientId ?? '',
          accountId: oidc.session?.accountId ?? '',
        });
        grant.addOIDCScope('openid email groups');
        await grant.save();
        return grant;
      },
    });
    return provider;
  }

  async #interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { person } = this;
    await provider.interactionFinished(
      request,
      response,
      person === null
        ? { error: 'access_denied', error_description: 'They changed their mind' }
        : { login: { accountId: person.sub } },
    );
  }
}

/** A browser without scripts: follows redirects with its cookies until an address begins with `end`. */
export async function followTo(end: string, start: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let step = 0; step < 10; step += 1) {
    if (url.href.startsWith(end)) return url;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const to = answer.headers.get('location');
    if (to === null) throw new Error(`${url.href} answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
    url = new URL(to, url);
  }
  throw new Error(`too many redirects, the last to ${url.href}`);
}
