import * as client from 'openid-client';
import { TryItNowError } from '../domain/errors.ts';
import type { Identity, IdentityProvider, LoginAttempt } from '../pool/interfaces/identity-provider.ts';
import { emailOf, valuesOf, type Claims } from './claims.ts';

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client, which PKCE alone protects. */
  readonly clientSecret: string | undefined;
  readonly scope: string;
  readonly claim: string;
  /** Where browsers come back to. */
  readonly callbackUrl: string;
  /** Where they come back to after they logged out there. */
  readonly loggedOutUrl: string;
}

const ANSWER_WITHIN_S = 5;
/** Of the provider's clock to ours. */
const CLOCK_TOLERANCE_S = 60;
/** Where its endpoints are is asked again after this long. */
const KNOWN_FOR_MS = 3_600_000;

/** A provider of OpenID Connect: the authorization code flow, with PKCE, state and nonce. */
export class OidcProvider implements IdentityProvider {
  readonly issuer: string;
  readonly name: string;
  readonly #settings: OidcSettings;
  #known: { readonly atMs: number; readonly found: Promise<client.Configuration> } | undefined;

  constructor(settings: OidcSettings) {
    this.#settings = settings;
    this.issuer = settings.issuer;
    this.name = new URL(settings.issuer).host;
  }

  async begin({ state, nonce, verifier }: LoginAttempt): Promise<URL> {
    const { callbackUrl, scope } = this.#settings;
    return client.buildAuthorizationUrl(await this.#configuration(), {
      redirect_uri: callbackUrl,
      scope,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
  }

  async finish({ state, nonce, verifier }: LoginAttempt, query: URLSearchParams): Promise<Identity> {
    const configuration = await this.#configuration();
    const cameTo = new URL(this.#settings.callbackUrl);
    cameTo.search = query.toString();
    try {
      const tokens = await client.authorizationCodeGrant(configuration, cameTo, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('there is no ID token in the answer');
      return this.#identity(claims.sub, await this.#allClaims(configuration, claims, tokens.access_token));
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  async logoutUrl(): Promise<URL | undefined> {
    const configuration = await this.#configuration();
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
    return client.buildEndSessionUrl(configuration, { post_logout_redirect_uri: this.#settings.loggedOutUrl });
  }

  #configuration(): Promise<client.Configuration> {
    const now = performance.now();
    if (this.#known === undefined || now - this.#known.atMs > KNOWN_FOR_MS) {
      const found = this.#discover();
      const known = { atMs: now, found };
      this.#known = known;
      // Whoever asks next tries again.
      found.catch(() => {
        if (this.#known === known) this.#known = undefined;
      });
    }
    return this.#known.found;
  }

  async #discover(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const url = new URL(issuer);
    try {
      return await client.discovery(
        url,
        clientId,
        { [client.clockTolerance]: CLOCK_TOLERANCE_S },
        clientSecret === undefined ? client.None() : secretAsWanted(clientSecret),
        {
          timeout: ANSWER_WITHIN_S,
          // A signature is checked besides: TLS may end somewhere before the provider.
          execute: [
            client.enableNonRepudiationChecks,
            // Only one on this host may be asked so, as its setting is read.
            // oxlint-disable-next-line typescript/no-deprecated -- deprecated to stand out, and it does
            ...(url.protocol === 'http:' ? [client.allowInsecureRequests] : []),
          ],
        },
      );
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  /** Some providers put groups into the ID token, others keep them for who asks with the access token. */
  async #allClaims(configuration: client.Configuration, claims: Claims & { sub: string }, token: string) {
    const { claim } = this.#settings;
    const isThere = valuesOf(claims, claim).length > 0 && emailOf(claims) !== undefined;
    if (isThere || configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
    return { ...(await client.fetchUserInfo(configuration, token, claims.sub)), ...claims };
  }

  #identity(subject: string, claims: Claims): Identity {
    const name = emailOf(claims) ?? subject;
    return { who: `oidc:${name} at ${this.name}`, values: valuesOf(claims, this.#settings.claim) };
  }

  #refusal(error: unknown): TryItNowError {
    if (error instanceof client.AuthorizationResponseError)
      return refused(`${this.name} did not log you in: ${answerOf(error)}`, error);
    if (error instanceof client.WWWAuthenticateChallengeError || isErrorOf(error, 'invalid_client'))
      return refused(
        `${this.name} does not know this server: its OIDC_CLIENT_ID or OIDC_CLIENT_SECRET is wrong`,
        error,
      );
    if (error instanceof client.ResponseBodyError)
      return refused(`${this.name} did not take what we asked it: ${answerOf(error)}`, error);
    if (isNoAnswer(error)) return this.#unavailable(error);
    return refused(`What ${this.name} said of you does not hold: ${reasonOf(error)}`, error);
  }

  #unavailable(error: unknown): TryItNowError {
    return new TryItNowError(
      'login_provider_unavailable',
      `${this.issuer} does not answer as a provider of OpenID Connect does: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

/** As the provider says that it wants it; without a word of it, as the standard has it. */
function secretAsWanted(secret: string): client.ClientAuth {
  const [basic, post] = [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)];
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    (methods.includes('client_secret_basic') ? basic : post)(server, ...rest);
  };
}

function answerOf({ error, error_description: more }: { error: string; error_description?: string | undefined }) {
  return more === undefined ? error : `${error} (${more.slice(0, 200)})`;
}

function isErrorOf(error: unknown, code: string): boolean {
  return error instanceof client.ResponseBodyError && error.error === code;
}

/** What went wrong on the way, or was said by something in between. */
function isNoAnswer(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  if (!(error instanceof client.ClientError)) return false;
  return error.code === 'OAUTH_TIMEOUT' || (error.cause instanceof Response && error.cause.status >= 500);
}

function refused(message: string, cause: unknown): TryItNowError {
  return new TryItNowError('login_refused', message, { cause });
}

/** The words of what lies deepest; what that was about (claims, answers) may be more than pages should show. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'for no known reason';
  if (error.cause instanceof Response) return `${error.message} (${error.cause.status})`;
  if (error.cause instanceof AggregateError) return reasonOf(error.cause.errors[0]);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const isOfTime = error.message.includes('expiration time') || error.message.includes('not before');
  return isOfTime ? `${error.message}; compare this host's clock with the provider's` : error.message;
}
