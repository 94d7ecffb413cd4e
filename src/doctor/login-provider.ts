import type { IdentityProvider } from '../pool/interfaces/identity-provider.ts';
import { ok, type Check } from './check.ts';

const WHAT = 'log-in provider';

/** Whether operators can log in where they do; nothing where they do so by key alone. */
export function loginProviderChecks(provider: IdentityProvider | undefined): Check[] {
  if (provider === undefined) return [];
  return [
    {
      part: 'Server',
      what: WHAT,
      remedy:
        'Open OIDC_ISSUER with /.well-known/openid-configuration behind it from this host: its document has to name ' +
        'that issuer, and a certificate of your own authority needs NODE_EXTRA_CA_CERTS. Keys let in meanwhile.',
      run: async () => {
        const out = await provider.logoutUrl();
        const also = out === undefined ? 'it has no log-out that we could lead to' : 'operators can log out there too';
        return [ok(WHAT, `${provider.issuer} answers; ${also}`)];
      },
    },
  ];
}
