import { expect, it } from 'vitest';
import { OIDC_CLIENT, TestOidcProvider } from '../../test/support/oidc-provider.ts';
import { OidcProvider } from '../oidc/oidc-provider.ts';
import { runChecks } from './check.ts';
import { loginProviderChecks } from './login-provider.ts';

it('says whether the provider that operators log in at answers', async () => {
  await using provider = await TestOidcProvider.at('http://localhost/login/oidc/callback', 'http://localhost/login');
  const { issuer } = provider;
  const look = async () =>
    runChecks(
      loginProviderChecks(
        new OidcProvider({
          issuer,
          clientId: OIDC_CLIENT.id,
          clientSecret: undefined,
          scope: 'openid',
          claim: 'groups',
          callbackUrl: 'http://localhost/login/oidc/callback',
          loggedOutUrl: 'http://localhost/login',
        }),
      ),
    );
  expect(await look()).toMatchObject([
    { verdict: 'failure', seen: expect.stringContaining(`${issuer} does not answer`) as string },
  ]);
  await provider.start();
  expect(await look()).toMatchObject([{ verdict: 'ok', seen: `${issuer} answers; operators can log out there too` }]);
  expect(loginProviderChecks(undefined)).toEqual([]);
});
